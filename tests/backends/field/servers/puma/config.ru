NEVER_RELEASED = Mutex.new
Thread.new { NEVER_RELEASED.synchronize { sleep } }

run(lambda do |environment|
  NEVER_RELEASED.lock if environment['PATH_INFO'] == '/block'
  loop {} if environment['PATH_INFO'] == '/spin'
  [200, { 'Content-Type' => 'text/plain' }, ["pid=#{Process.pid}"]]
end)
