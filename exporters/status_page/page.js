// Keeps the status page up to date without reloading it: the agent renders the page anew, and what differs is
// taken over, so that a selection, a tooltip or the place one has scrolled to survive.
'use strict';

const PERIOD = 2000;    // ms from an answer to the next question
const PATIENCE = 5000;  // ms for an answer

const notice = document.getElementById('unreachable');
let answered = new Date();   // what is shown is of then
let failing = null;          // the first question that had no answer; null while all is well
let timer = null;

async function freshPage() {
  const answer = await fetch('/', {cache: 'no-store', redirect: 'error', signal: AbortSignal.timeout(PATIENCE)});
  if (!answer.ok) throw new Error(`it answers ${answer.status}`);
  // A parsed document is inert: nothing in it runs or loads.
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  if (!page.querySelector('main') || !page.documentElement.dataset.page) throw new Error('another program answers');
  return page;
}

function takeAttributes(old, fresh) {
  for (const {name} of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const {name, value} of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

function take(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(document.importNode(fresh, true));
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return undefined;
  }
  takeAttributes(old, fresh);
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  for (const gone of before.slice(after.length)) gone.remove();
  after.forEach((child, i) => {
    if (i < before.length) take(before[i], child);
    else old.append(document.importNode(child, true));
  });
  return undefined;
}

function show(page) {
  const own = document.documentElement.dataset.page;
  if (page.documentElement.dataset.page !== own) return location.reload();  // another version of the agent
  take(document.querySelector('main'), page.querySelector('main'));
  takeAttributes(document.querySelector('link[rel=icon]'), page.querySelector('link[rel=icon]'));
  document.title = page.title;
  return undefined;
}

function clock(time) {
  return time.toLocaleTimeString('en-GB', {timeZoneName: 'short'});
}

function tellUnreachable(why, asked) {
  failing ??= asked;
  const seconds = Math.round((Date.now() - failing) / 1000);
  notice.textContent = `The agent cannot be reached since ${clock(failing)} (${seconds} s; ${why}). ` +
    `What is shown is of ${clock(answered)}.`;
  notice.hidden = false;
  document.body.classList.add('stale');
  if (!document.title.startsWith('? ')) document.title = `? ${document.title}`;
}

function tellReachable() {
  answered = new Date();
  failing = null;
  notice.hidden = true;
  document.body.classList.remove('stale');
}

async function refresh() {
  timer = null;
  const asked = new Date();
  try {
    const page = await freshPage();
    tellReachable();
    show(page);
  } catch (error) {
    tellUnreachable(error.name === 'TimeoutError' ? 'no answer' : error.message, asked);
  }
  schedule(PERIOD);
}

// Nobody looks at a hidden page; when it is shown again, the first look is at what is true now.
function schedule(delay) {
  if (timer === null && !document.hidden) timer = setTimeout(refresh, delay);
}

document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  timer = null;
  schedule(0);
});
schedule(PERIOD);
