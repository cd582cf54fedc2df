// node --require: SIGUSR2 makes the program loop for ever in a function of this name.
'use strict';
process.on('SIGUSR2', function injectedLoop() {
  for (let i = 0; ; i++) i %= 7;
});
