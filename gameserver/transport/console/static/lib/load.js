// What a view asks of the server: once, again and again, or page by page.

import { read } from './api.js';
import { useCallback, useEffect, useRef, useState } from './html.js';

const LEAST_PAUSE_MS = 1000;

// {value, error, loading, reload}: asks again when `path` or `query` changes; a late answer to an old question is dropped.
export function useRead(path, query = {}) {
  const [state, setState] = useState({ value: null, error: null, loading: true });
  const [turn, setTurn] = useState(0);
  const question = JSON.stringify([path, query]);
  useEffect(() => {
    if (!path) return undefined;
    const stop = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    read(path, query, stop.signal).then(
      (value) => setState({ value, error: null, loading: false }),
      (error) => stop.signal.aborted || setState((before) => ({ value: before.value, error, loading: false })),
    );
    return () => stop.abort();
  }, [question, turn]);
  return { ...state, reload: useCallback(() => setTurn((before) => before + 1), []) };
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
  const empty = { entries: [], first: null, cursor: null, reached: null, stopped: false, error: null, loading: true };
  const [state, setState] = useState(empty);
  const [turn, setTurn] = useState(0);
  const own = useRef(null);
  const question = JSON.stringify([path, query]);

  const load = (cursor) => {
    const asked = new AbortController();
    own.current?.abort();
    own.current = asked;
    read(path, { ...query, ...(cursor ? { cursor } : {}) }, asked.signal).then(
      (answer) => {
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
        }));
        if (isEmpty) load(next);
      },
      (error) => asked.signal.aborted || setState((before) => ({ ...before, error, loading: false })),
    );
  };

  useEffect(() => {
    setState(empty);
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
