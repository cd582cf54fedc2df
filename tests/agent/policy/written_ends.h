#pragma once

/// What real programs wrote as they ended: node 20, python3.11, go 1.19, OpenJDK 17, ruby 3.1, in /srv/app.

namespace codex::testing {

struct WrittenEnd {
  const char* name;
  const char* written;
  const char* cause;
  const char* words;  ///< with the place, as seen from /srv/app
};

inline constexpr WrittenEnd kWrittenEnds[] = {
    {"node, type.js",
     R"X(/srv/app/type.js:2
function handle(req){ return req.x.y; }
                                   ^

TypeError: Cannot read properties of undefined (reading 'y')
    at handle (/srv/app/type.js:2:36)
    at Timeout._onTimeout (/srv/app/type.js:3:16)
    at listOnTimeout (node:internal/timers:581:17)
    at process.processTimers (node:internal/timers:519:7)

Node.js v20.20.2)X",
     "crash", R"X(TypeError: Cannot read properties of undefined (reading 'y') (type.js:2))X"},
    {"node, enoent.js",
     R"X(node:fs:573
  return binding.open(
                 ^

Error: ENOENT: no such file or directory, open '/nope/key.pem'
    at Object.openSync (node:fs:573:18)
    at Object.readFileSync (node:fs:452:35)
    at Object.<anonymous> (/srv/app/enoent.js:2:12)
    at Module._compile (node:internal/modules/cjs/loader:1521:14)
    at Module._extensions..js (node:internal/modules/cjs/loader:1623:10)
    at node:internal/main/run_main_module:28:49 {
  errno: -2,
  code: 'ENOENT',
  syscall: 'open',
  path: '/nope/key.pem'
}

Node.js v20.20.2)X",
     "crash", R"X(Error: ENOENT: no such file or directory, open '/nope/key.pem' (enoent.js:2))X"},
    {"node, rej.js",
     R"X(/srv/app/rej.js:1
async function boot(){ await 0; throw new Error('cannot connect to queue'); }
                                      ^

Error: cannot connect to queue
    at boot (/srv/app/rej.js:1:39)

Node.js v20.20.2)X",
     "crash", R"X(Error: cannot connect to queue (rej.js:1))X"},
    {"node, rejs.js",
     R"X(node:internal/process/promises:389
      new UnhandledPromiseRejection(reason);
      ^

UnhandledPromiseRejection: This error originated either by throwing inside of an async function without a catch block, or by rejecting a promise which was not handled with .catch(). The promise rejected with the reason "just a string".
    at throwUnhandledRejectionsMode (node:internal/process/promises:389:7)
    at processPromiseRejections (node:internal/process/promises:470:17)
    at process.processTicksAndRejections (node:internal/process/task_queues:96:32) {
  code: 'ERR_UNHANDLED_REJECTION'
}

Node.js v20.20.2)X",
     "crash", R"X(UnhandledPromiseRejection: "just a string")X"},
    {"node, thr.js",
     R"X(
/srv/app/thr.js:1
throw {code: 5, why: 'object'};
^
{ code: 5, why: 'object' }

Node.js v20.20.2)X",
     "crash", R"X({ code: 5, why: 'object' } (thr.js:1))X"},
    {"node, fatal.js",
     R"X(loading
FATAL: cannot read key.pem
bye)X",
     "crash", R"X(FATAL: cannot read key.pem)X"},
    {"node, syn.js",
     R"X(/srv/app/syn.js:3
}};
 ^

SyntaxError: Unexpected token '}'
    at wrapSafe (node:internal/modules/cjs/loader:1464:18)
    at Module._compile (node:internal/modules/cjs/loader:1495:20)
    at Module._extensions..js (node:internal/modules/cjs/loader:1623:10)

Node.js v20.20.2)X",
     "syntax_error", R"X(SyntaxError: Unexpected token '}' (syn.js:3))X"},
    {"node, syn.mjs",
     R"X(file:///srv/app/syn.mjs:1
import {x} from 'node:fs';
        ^
SyntaxError: The requested module 'node:fs' does not provide an export named 'x'
    at ModuleJob._instantiate (node:internal/modules/esm/module_job:213:21)
    at async ModuleJob.run (node:internal/modules/esm/module_job:320:5)

Node.js v20.20.2)X",
     "syntax_error",
     R"X(SyntaxError: The requested module 'node:fs' does not provide an export named 'x' (syn.mjs:1))X"},
    {"node, mod.js",
     R"X(node:internal/modules/cjs/loader:1210
  throw err;
  ^

Error: Cannot find module 'missing-thing'
Require stack:
- /srv/app/mod.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15)
    at Module._load (node:internal/modules/cjs/loader:1038:27)
    at Object.<anonymous> (/srv/app/mod.js:1:1)
    at Module._compile (node:internal/modules/cjs/loader:1521:14)
    at Module._extensions..js (node:internal/modules/cjs/loader:1623:10)
    at Function.executeUserEntryPoint [as runMain] (node:internal/modules/run_main:164:12) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/srv/app/mod.js' ]
}

Node.js v20.20.2)X",
     "module_not_found", R"X(Error: Cannot find module 'missing-thing' (mod.js:1))X"},
    {"node, port.js",
     R"X(node:events:502
      throw er; // Unhandled 'error' event
      ^

Error: listen EADDRINUSE: address already in use :::18999
    at Server.setupListenHandle [as _listen2] (node:net:1908:16)
    at listenInCluster (node:net:1965:12)
    at Server.listen (node:net:2067:7)
    at Server.<anonymous> (/srv/app/port.js:1:93)
    at Object.onceWrapper (node:events:638:28)
    at Server.emit (node:events:536:35)
    at emitListeningNT (node:net:1951:10)
    at process.processTicksAndRejections (node:internal/process/task_queues:81:21)
Emitted 'error' event on Server instance at:
    at emitErrorNT (node:net:1944:8)
    at process.processTicksAndRejections (node:internal/process/task_queues:82:21) {
  code: 'EADDRINUSE',
  errno: -98,
  syscall: 'listen',
  address: '::',
  port: 18999
}

Node.js v20.20.2)X",
     "port_taken", R"X(Error: listen EADDRINUSE: address already in use :::18999 (port.js:1))X"},
    {"node, cause.js",
     R"X(/srv/app/cause.js:1
try { JSON.parse('{'); } catch (e) { throw new Error('config unreadable', { cause: e }); }
                                     ^

Error: config unreadable
    at Object.<anonymous> (/srv/app/cause.js:1:44)
    at Module._compile (node:internal/modules/cjs/loader:1521:14)
    ... 4 lines matching cause stack trace ...
    at node:internal/main/run_main_module:28:49 {
  [cause]: SyntaxError: Expected property name or '}' in JSON at position 1
      at JSON.parse (<anonymous>)
      at Object.<anonymous> (/srv/app/cause.js:1:12)
      at Module._compile (node:internal/modules/cjs/loader:1521:14)
      at Module._extensions..js (node:internal/modules/cjs/loader:1623:10)
      at Module.load (node:internal/modules/cjs/loader:1266:32)
      at Module._load (node:internal/modules/cjs/loader:1091:12)
      at Function.executeUserEntryPoint [as runMain] (node:internal/modules/run_main:164:12)
      at node:internal/main/run_main_module:28:49
}

Node.js v20.20.2)X",
     "crash", R"X(Error: config unreadable (cause.js:1))X"},
    {"node, caughtstack.js",
     R"X(startup failed: RangeError: bad port 99999
    at f (/srv/app/caughtstack.js:1:21)
    at Object.<anonymous> (/srv/app/caughtstack.js:2:7)
    at Module._compile (node:internal/modules/cjs/loader:1521:14)
    at Module._extensions..js (node:internal/modules/cjs/loader:1623:10))X",
     "crash", R"X(startup failed: RangeError: bad port 99999 (caughtstack.js:1))X"},
    {"node, multi.js",
     R"X(/srv/app/multi.js:1
throw new Error('first line\nsecond line\nthird line');
^

Error: first line
second line
third line
    at Object.<anonymous> (/srv/app/multi.js:1:7)
    at Module._compile (node:internal/modules/cjs/loader:1521:14)
    at Module._extensions..js (node:internal/modules/cjs/loader:1623:10)

Node.js v20.20.2)X",
     "crash", R"X(Error: first line (multi.js:1))X"},
    {"node, assert.js",
     R"X(node:assert:90
  throw new AssertionError(obj);
  ^

AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:

1 !== 2

    at Object.<anonymous> (/srv/app/assert.js:1:19)
    at Module._compile (node:internal/modules/cjs/loader:1521:14)
    at Module._extensions..js (node:internal/modules/cjs/loader:1623:10)
    at node:internal/main/run_main_module:28:49 {
  generatedMessage: true,
  code: 'ERR_ASSERTION',
  actual: 1,
  expected: 2,
  operator: 'strictEqual'
}

Node.js v20.20.2)X",
     "crash",
     R"X(AssertionError [ERR_ASSERTION]: Expected values to be strictly equal: 1 !== 2 (assert.js:1))X"},
    {"node, exit.js",
     R"X(starting
Config value PORT missing)X",
     "crash", R"X(Config value PORT missing)X"},
    {"python, aio.py",
     R"X(Traceback (most recent call last):
  File "/srv/app/aio.py", line 5, in <module>
    asyncio.run(main())
  File "/usr/lib/python3.11/asyncio/runners.py", line 190, in run
    return runner.run(main)
           ^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/asyncio/runners.py", line 118, in run
    return self._loop.run_until_complete(task)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/asyncio/base_events.py", line 653, in run_until_complete
    return future.result()
           ^^^^^^^^^^^^^^^
  File "/srv/app/aio.py", line 4, in main
    raise RuntimeError("loop\nsecond line")
RuntimeError: loop
second line)X",
     "crash", R"X(RuntimeError: loop (aio.py:4))X"},
    {"python, chain.py",
     R"X(Traceback (most recent call last):
  File "/srv/app/chain.py", line 4, in load
    json.loads("{")
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/json/decoder.py", line 337, in decode
    obj, end = self.raw_decode(s, idx=_w(s, 0).end())
               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/json/decoder.py", line 353, in raw_decode
    obj, end = self.scan_once(s, idx)
               ^^^^^^^^^^^^^^^^^^^^^^
json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/app/chain.py", line 7, in <module>
    load()
  File "/srv/app/chain.py", line 6, in load
    raise RuntimeError("config unreadable") from e
RuntimeError: config unreadable)X",
     "crash", R"X(RuntimeError: config unreadable (chain.py:6))X"},
    {"python, grp.py",
     R"X(  + Exception Group Traceback (most recent call last):
  |   File "/srv/app/grp.py", line 1, in <module>
  |     raise ExceptionGroup("many", [ValueError("a"), KeyError("b")])
  | ExceptionGroup: many (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: a
    +---------------- 2 ----------------
    | KeyError: 'b'
    +------------------------------------)X",
     "crash", R"X(ExceptionGroup: many (2 sub-exceptions) (grp.py:1))X"},
    {"python, mod.py",
     R"X(Traceback (most recent call last):
  File "/srv/app/mod.py", line 1, in <module>
    import flaskk
ModuleNotFoundError: No module named 'flaskk')X",
     "module_not_found", R"X(ModuleNotFoundError: No module named 'flaskk' (mod.py:1))X"},
    {"python, port.py",
     R"X(Traceback (most recent call last):
  File "/srv/app/port.py", line 4, in <module>
    b=http.server.HTTPServer(("127.0.0.1",18998),None)
      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/socketserver.py", line 456, in __init__
    self.server_bind()
  File "/usr/lib/python3.11/http/server.py", line 136, in server_bind
    socketserver.TCPServer.server_bind(self)
  File "/usr/lib/python3.11/socketserver.py", line 472, in server_bind
    self.socket.bind(self.server_address)
OSError: [Errno 98] Address already in use)X",
     "port_taken", R"X(OSError: [Errno 98] Address already in use (port.py:4))X"},
    {"python, syn.py",
     R"X(  File "/srv/app/syn.py", line 1
    def f(:
          ^
SyntaxError: invalid syntax)X",
     "syntax_error", R"X(SyntaxError: invalid syntax (syn.py:1))X"},
    {"python, se.py", R"X(cannot read key.pem)X", "crash", R"X(cannot read key.pem)X"},
    {"go, nil.go",
     R"X(up
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x481014]

goroutine 1 [running]:
main.load(...)
	/srv/app/nil.go:4
main.main()
	/srv/app/nil.go:5 +0x54
exit status 2)X",
     "crash", R"X(panic: runtime error: invalid memory address or nil pointer dereference (nil.go:4))X"},
    {"go, dead.go",
     R"X(fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
	/srv/app/dead.go:2 +0x2c
exit status 2)X",
     "crash", R"X(fatal error: all goroutines are asleep - deadlock! (dead.go:2))X"},
    {"go, fat.go",
     R"X(2026/12/01 03:17:51 listen tcp :8080: bind: address already in use
exit status 1)X",
     "port_taken", R"X(listen tcp :8080: bind: address already in use)X"},
    {"go, bad.go",
     R"X(# command-line-arguments
./bad.go:2:15: x declared but not used)X",
     "crash", R"X(x declared but not used (bad.go:2))X"},
    {"java, A",
     R"X(Exception in thread "main" java.lang.IllegalStateException: config unreadable
	at A.main(A.java:3)
Caused by: java.lang.NullPointerException: Cannot invoke "String.length()" because "<parameter1>" is null
	at A.load(A.java:1)
	at A.main(A.java:3)
	at java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
	at java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke(NativeMethodAccessorImpl.java:77)
	at java.base/jdk.internal.reflect.DelegatingMethodAccessorImpl.invoke(DelegatingMethodAccessorImpl.java:43)
	at java.base/java.lang.reflect.Method.invoke(Method.java:569)
	at jdk.compiler/com.sun.tools.javac.launcher.Main.execute(Main.java:419)
	at jdk.compiler/com.sun.tools.javac.launcher.Main.run(Main.java:192)
	at jdk.compiler/com.sun.tools.javac.launcher.Main.main(Main.java:132))X",
     "crash",
     R"X(java.lang.NullPointerException: Cannot invoke "String.length()" because "<parameter1>" is null (A.java:1))X"},
    {"java, B",
     R"X(Exception in thread "main" java.net.BindException: Address already in use
	at java.base/sun.nio.ch.Net.bind0(Native Method)
	at java.base/sun.nio.ch.Net.bind(Net.java:555)
	at java.base/sun.nio.ch.Net.bind(Net.java:544)
	at java.base/sun.nio.ch.NioSocketImpl.bind(NioSocketImpl.java:648)
	at java.base/java.net.ServerSocket.bind(ServerSocket.java:388)
	at java.base/java.net.ServerSocket.<init>(ServerSocket.java:274)
	at java.base/java.net.ServerSocket.<init>(ServerSocket.java:167)
	at B.main(B.java:2))X",
     "port_taken", R"X(java.net.BindException: Address already in use (B.java:2))X"},
    {"java, C",
     R"X(C.java:1: error: incompatible types: String cannot be converted to int
public class C { public static void main(String[] a) { int x = "a"; } }
                                                               ^
1 error
error: compilation failed)X",
     "crash", R"X(error: incompatible types: String cannot be converted to int (C.java:1))X"},
    {"ruby, nom.rb",
     R"X(nom.rb:2:in `load': undefined method `port' for nil:NilClass (NoMethodError)

  c.port
   ^^^^^
	from nom.rb:4:in `<main>')X",
     "crash", R"X(undefined method `port' for nil:NilClass (NoMethodError) (nom.rb:2))X"},
    {"ruby, req.rb",
     R"X(<internal:/usr/lib/ruby/vendor_ruby/rubygems/core_ext/kernel_require.rb>:85:in `require': cannot load such file -- sinatraa (LoadError)
	from <internal:/usr/lib/ruby/vendor_ruby/rubygems/core_ext/kernel_require.rb>:85:in `require'
	from req.rb:1:in `<main>')X",
     "crash", R"X(cannot load such file -- sinatraa (LoadError) (req.rb:1))X"},
    {"ruby, syn.rb", R"X(syn.rb:2: syntax error, unexpected integer literal, expecting ')')X", "crash",
     R"X(syntax error, unexpected integer literal, expecting ')' (syn.rb:2))X"},
};

}  // namespace codex::testing
