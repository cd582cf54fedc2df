import os
import sys
import threading
import time

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

time.sleep(float(os.environ.get("IMPORT_SECONDS", "0")))  # as an application of many modules takes
LOCK = threading.Lock()


def answer(request):
    with LOCK:
        return HttpResponse(f"pid={os.getpid()}")


def block(request):
    LOCK.acquire()
    LOCK.acquire()


def spin(request):
    while True:
        pass


urlpatterns = [path("", answer), path("block", block), path("spin", spin)]
settings.configure(DEBUG=True, SECRET_KEY="none", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
execute_from_command_line(sys.argv)
