// Bundles the page, opens it in headless Chromium for each NAME.json in the directory of pictures, and writes NAME.png.
//   node shoot.mjs PACKAGES PICTURES NAME...
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';

const [packages, pictures, ...names] = process.argv.slice(2);
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const require = createRequire(path.resolve(packages, 'package.json'));
const { build } = require('esbuild');
const { chromium } = require('playwright-core');
const modules = path.resolve(packages, 'node_modules');
const bundle = path.resolve(pictures, 'page');

await build({
  entryPoints: [path.join(here, 'page.jsx')], outdir: bundle, bundle: true, minify: true, jsx: 'automatic', logLevel: 'error',
  nodePaths: [modules], define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: { '.svg': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl' },
  // The ES modules of these packages cannot import some of their CommonJS dependencies.
  alias: Object.fromEntries(['ui', 'data'].map((name) => [`@grafana/${name}`, `${modules}/@grafana/${name}/dist/cjs/index.cjs`])),
});

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };
let current;
function fileOf(pathname) {
  if (pathname === '/') return path.join(here, 'index.html');
  if (pathname === '/data.json') return path.join(pictures, `${current}.json`);
  const icon = pathname.match(/^\/public\/(?:build\/)?(.*)/);
  return icon ? path.join(modules, '@grafana/ui/dist/public', icon[1]) : path.join(bundle, pathname);
}
const server = http.createServer(({ url }, response) => {
  const file = fileOf(new URL(url, 'http://localhost').pathname);
  fs.readFile(file, (error, content) => {
    response.writeHead(error ? 404 : 200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
    response.end(content);
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless',
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'] });
let failed = 0;
for (current of names) {
  const page = await browser.newPage({ viewport: { width: 1600, height: 1200 } });
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => window.__page?.ready, null, { timeout: 120000 });
  const { errors, panels } = await page.evaluate(() => window.__page);
  const file = path.join(pictures, `${current}.png`);
  await page.screenshot({ path: file, fullPage: true });
  const { top } = JSON.parse(fs.readFileSync(path.join(pictures, `${current}.json`)));
  if (top) await page.screenshot({ path: file.replace('.png', '.top.png'), clip: { x: 0, y: 0, width: 1600, height: top } });
  console.log(`${file}: ${panels} panels, ${errors.length} errors`);
  for (const error of errors) console.log(`  ${error}`);
  failed += errors.length;
  await page.close();
}
await browser.close();
server.close();
process.exitCode = failed ? 1 : 0;
