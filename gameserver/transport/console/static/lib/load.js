// What a view asks of the server: once, again and again, or page by page.

import { read } from './api.js';
import { useCallback, useEffect, useRef, useState } from './html.js';

const LEAST_PAUSE_MS = 1000;
const UNKNOWN = { value: null, error: null, loading: true, at: null };
const NO_ENTRIES = { entries: [], first: null, cursor: null, reached: null, stopped: false, error: null, loading: true };

// A state if it is of this question, or what stands for none.
const of = (question, state, none) => (state.question === question ? state : none);

// {value, error, loading, at, reload}, where the value came `at` this time of the browser, in ms: asks again when `path` or `query` changes; without a path it asks nothing.
// Law: what it gives belongs to this question. A late answer to another one is dropped, and so is the value of one before;
// after an error, the value stays that this question had.
export function useRead(path, query = {}, root = undefined) {
  const question = JSON.stringify([path, query]);
  const [state, setState] = useState(UNKNOWN);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!path) return undefined;
    const stop = new AbortController();
    const set = (change) => stop.signal.aborted || setState((before) => ({ ...of(question, before, UNKNOWN), ...change, question }));
    set({ loading: true });
    read(path, query, stop.signal, root).then(
      (value) => set({ value, error: null, loading: false, at: Date.now() }),
      (error) => set({ error, loading: false }),
    );
    return () => stop.abort();
  }, [question, turn]);
  return { ...of(question, state, UNKNOWN), reload: useCallback(() => setTurn((before) => before + 1), []) };
}

// The same every `pauseMs` after an answer, while the page is seen; `onAnswer` gets each answer.
export function usePolled(path, query = {}, pauseMs = 2000, onAnswer = null) {
  const asked = useRead(path, query);
  const listener = useRef(onAnswer);
  listener.current = onAnswer;
  useEffect(() => {
    if (asked.value) listener.current?.(asked.value);
  }, [asked.value]);
  useEffect(() => {
    if (asked.loading) return undefined;
    const again = () => document.hidden || asked.reload();
    const timer = setInterval(again, Math.max(pauseMs, LEAST_PAUSE_MS));
    document.addEventListener('visibilitychange', again);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', again);
    };
  }, [asked.loading, pauseMs]);
  return asked;
}

// Entries page by page; `next` asks for the page behind: {entries, first, error, loading, more, next, reload}.
// Where the server looks at a bounded number of rows for a page, perhaps none of them fits. Then pages are asked for until
// one does; meanwhile `reached` says how far that got, by `reachedOf(cursor)`, and `stop` ends it: `stopped` until `next`.
export function usePages(path, query, reachedOf = null) {
  const question = JSON.stringify([path, query]);
  const [kept, setState] = useState(NO_ENTRIES);
  const state = of(question, kept, NO_ENTRIES);
  const [turn, setTurn] = useState(0);
  const own = useRef(null);

  const load = (cursor) => {
    const asked = new AbortController();
    own.current?.abort();
    own.current = asked;
    read(path, { ...query, ...(cursor ? { cursor } : {}) }, asked.signal).then(
      (answer) => {
        if (asked.signal.aborted) return;
        const { entries, next_cursor: next } = answer;
        const isEmpty = !entries.length && next !== null;
        setState((before) => ({
          entries: cursor ? [...before.entries, ...entries] : entries,
          first: before.first ?? answer,
          cursor: next,
          reached: isEmpty && reachedOf ? reachedOf(next) : null,
          stopped: false,
          error: null,
          loading: isEmpty,
          question,
        }));
        if (isEmpty) load(next);
      },
      (error) => asked.signal.aborted || setState((before) => ({ ...before, error, loading: false })),
    );
  };

  useEffect(() => {
    setState({ ...NO_ENTRIES, question });
    load(null);
    return () => own.current?.abort();
  }, [question, turn]);

  const next = () => {
    if (state.loading || !state.cursor) return;
    setState((before) => ({ ...before, loading: true, stopped: false, error: null }));
    load(state.cursor);
  };
  const stop = () => {
    own.current?.abort();
    setState((before) => ({ ...before, loading: false, stopped: true }));
  };
  return { ...state, more: state.cursor !== null, next, stop, reload: () => setTurn((before) => before + 1) };
}

// Calls `reload` once `version` is another one, such as after a change of what it tells of.
export function useReload(reload, version) {
  const seen = useRef(version);
  useEffect(() => {
    if (seen.current !== version) reload();
    seen.current = version;
  }, [version]);
}
