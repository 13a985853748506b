// Requests to /admin/v1 with the console's session, and what they may answer.
//
// Law: no request waits for ever, and a change keeps its command id until its outcome is known: whoever repeats it after
// an answer that got lost changes nothing twice. A page asks for one operator as long as it lives, and says so with each
// request: a browser has one session, and where another tab has begun one of another operator, the server refuses.

const ROOT = '/admin/v1';
const DEADLINE_MS = 20_000;
const RETRIES = 3;
const LONGEST_PAUSE_MS = 5000;
const SIGNED_OUT = 'The session has ended: sign in again.'; // also where the browser has no cookie any more
const NOT_DONE = 'The session had ended, and this was refused: try again.';
const OTHER = 'other_operator';
const signedOut = new Set();
let operator = null; // for whom this page asks
let back = Promise.resolve(); // pending while the session has ended or is another operator's
let come = null;
let comings = 0; // how often somebody has signed in here

export class ApiError extends Error {
  // `status` 0: no answer came, so a change may or may not have happened.
  constructor(status, problem) {
    super(problem.detail || 'Something went wrong.');
    this.status = status;
    this.code = problem.code || 'unreachable';
    this.fields = problem.errors || [];
    this.retryAfter = problem.retry_after ?? null;
    this.requestId = problem.request_id ?? null;
  }

  get unknown() {
    return this.status === 0 || this.code === 'outcome_unknown';
  }
}

// Says who has signed in: questions that waited for that go on. False if this page is another operator's.
export function signedIn(name) {
  operator ??= name;
  if (operator !== name) return false;
  comings += 1;
  come?.();
  come = null;
  return true;
}

function tellSignedOut(why, isOther) {
  if (!come) back = new Promise((resolve) => (come = resolve));
  signedOut.forEach((listener) => listener({ why, isOther }));
}

// Calls `listener({why, isOther})` whenever an answer says that the session has ended or, `isOther`, is another operator's;
// returns what ends this.
export function onSignedOut(listener) {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

// A path with a query; what is null, undefined or '' is left out.
export function pathOf(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

// The answer's JSON; null without a body. Throws ApiError, or an AbortError if `signal` ended it.
export async function ask(method, path, { query, body, commandId, key, signal, deadline = DEADLINE_MS, root = ROOT } = {}) {
  const headers = { Accept: 'application/json', 'X-Console': '1' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (commandId) headers['Idempotency-Key'] = commandId;
  if (key) headers.Authorization = `Bearer ${key}`;
  else if (operator !== null) headers['X-Console-Operator'] = encodeURIComponent(operator);
  const timeout = AbortSignal.timeout(deadline);
  const asked = comings;
  let response;
  let text;
  try {
    response = await fetch(root + pathOf(path, query), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    const detail = timeout.aborted ? `The server didn't answer within ${deadline / 1000} s.` : "The server can't be reached.";
    throw new ApiError(0, { detail });
  }
  if (response.ok) return text ? JSON.parse(text) : null;
  const problem = problemOf(text);
  problem.retry_after ??= Number(response.headers.get('Retry-After')) || null; // a refusal of the rules says it itself
  const isPresent = asked === comings; // else the operator has signed in again since it was asked
  if (response.status === 401 && !key) {
    problem.detail = NOT_DONE;
    if (isPresent) tellSignedOut(SIGNED_OUT, false);
  } else if (problem.code === OTHER && isPresent) tellSignedOut(problem.detail, true);
  throw new ApiError(response.status, problem);
}

function problemOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { detail: 'The answer came from something else than the server, perhaps a proxy.' };
  }
}

// A question, asked again a few times while the server says that it is busy or that something is away. Where the session
// has ended, it waits until the operator is back.
export async function read(path, query, signal, root = ROOT) {
  let left = RETRIES;
  for (;;) {
    await untilAborted(back, signal);
    try {
      return await ask('GET', path, { query, signal, root });
    } catch (error) {
      if (come && !signal?.aborted) continue;
      if (!left || ![429, 503].includes(error.status)) throw error;
      left -= 1;
      await untilAborted(pause(Math.min(LONGEST_PAUSE_MS, 1000 * (error.retryAfter ?? 1))), signal);
    }
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function untilAborted(work, signal) {
  signal?.throwIfAborted();
  const aborted = new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }));
  return Promise.race([work, aborted]);
}

// Throws what stands in the way of a file, at the node that answers: the file itself may come from another one.
export const requireFile = (path, query) => ask('GET', path, { query: { ...query, check: true } });

// Where the browser saves a file from, such as an export. A link has no headers, so it says in its query whose it is.
export const download = (path, query) => ROOT + pathOf(path, { ...query, console_operator: operator });

// A UUID of version 7, which carries the time of this browser.
export function newCommandId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let time = Date.now();
  for (let at = 5; at >= 0; at -= 1) {
    bytes[at] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
