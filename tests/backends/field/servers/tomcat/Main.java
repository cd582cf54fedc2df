import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;

public class Main extends HttpServlet {
  private static final ReentrantLock NEVER_RELEASED = new ReentrantLock();

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String path = request.getRequestURI();
    if (path.equals("/block")) NEVER_RELEASED.lock();
    while (path.equals("/spin")) Thread.onSpinWait();
    response.getWriter().print("pid=" + ProcessHandle.current().pid());
  }

  public static void main(String[] arguments) throws Exception {
    NEVER_RELEASED.lock();
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir("tomcat");
    tomcat.setPort(Integer.parseInt(System.getenv("PORT")));
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    tomcat.getConnector().setProperty("maxThreads", "4");
    tomcat.getConnector().setProperty("minSpareThreads", "2");
    Context context = tomcat.addContext("", null);
    Tomcat.addServlet(context, "main", new Main());
    context.addServletMappingDecoded("/", "main");
    tomcat.start();
    tomcat.getServer().await();
  }
}
