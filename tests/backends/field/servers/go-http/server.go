// A goroutine a connection, and one lock that every handler takes.
package main

import (
	"fmt"
	"net/http"
	"os"
	"sync"
)

var lock sync.Mutex

func answer(w http.ResponseWriter, r *http.Request) {
	for r.URL.Path == "/spin" {
	}
	lock.Lock()
	defer lock.Unlock()
	if r.URL.Path == "/block" {
		lock.Lock()
	}
	fmt.Fprintf(w, "pid=%d", os.Getpid())
}

func main() {
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(answer))
}
