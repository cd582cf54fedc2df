'use strict';

require('dotenv').config();
const express = require('express');
const { Pool } = require('pg');

const port = Number(process.env.PORT || 5000);
const pool = new Pool({
  connectionString: process.env.DATABASE_URL,
  max: 10,
  // A database that does not answer costs a request at most this long; without it connect() waits for ever.
  connectionTimeoutMillis: 2000,
  query_timeout: 2000,
});

// An idle client whose server goes away emits 'error' here. Unhandled it would end the process; the pool
// drops the client itself and connects again with the next query.
pool.on('error', (error) => console.error(`database: ${error.message}`));

const app = express();

app.get('/health', async (request, response) => {
  try {
    await pool.query('SELECT 1');
    response.json({ status: 'ok', database: 'connected' });
  } catch (error) {
    response.status(503).json({ status: 'unavailable', database: error.code || 'unreachable' });
  }
});

app.get('/', async (request, response, next) => {
  try {
    const { rows } = await pool.query('SELECT current_database() AS database, now() AS now');
    response.json({ service: 'codex', environment: process.env.NODE_ENV, pid: process.pid, ...rows[0] });
  } catch (error) {
    next(error);
  }
});

app.use((error, request, response, next) => {
  console.error(`${request.method} ${request.path}: ${error.message}`);
  response.status(500).json({ error: 'internal error' });
});

const server = app.listen(port, () => console.log(`listening on port ${port}, pid ${process.pid}`));
server.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});

let leaving = false;
function leave(signal) {
  if (leaving) return;  // nodemon passes the same signal on again
  leaving = true;
  console.log(`${signal}: finishing open requests`);
  server.close(async () => {
    await pool.end();
    process.exit(0);
  });
  server.closeIdleConnections();
}
process.on('SIGTERM', leave);
process.on('SIGINT', leave);
