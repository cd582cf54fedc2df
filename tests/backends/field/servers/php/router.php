<?php
// For the server of `php -S`, php-fpm and Apache's module. /block: one lock taken twice, as two sessions of one user do.
set_time_limit(0);
$path = strtok($_SERVER['REQUEST_URI'], '?');
if ($path === '/block') {
    foreach ([1, 2] as $i) flock($files[] = fopen(__FILE__, 'r'), LOCK_EX);
}
while ($path === '/spin');
echo 'pid=' . getmypid();
