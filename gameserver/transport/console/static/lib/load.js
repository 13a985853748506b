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

// Entries page by page: {entries, first, error, loading, more, next, reload}; `next` asks for the page behind.
// `entriesOf` takes an answer apart: its entries, and the cursor of the next page (null at the end).
export function usePages(path, query, entriesOf = (answer) => [answer.entries, answer.next_cursor]) {
  const empty = { entries: [], first: null, cursor: null, error: null, loading: true };
  const [state, setState] = useState(empty);
  const [turn, setTurn] = useState(0);
  const stop = useRef(null);
  const question = JSON.stringify([path, query]);

  const load = (cursor) => {
    const own = new AbortController();
    stop.current?.abort();
    stop.current = own;
    read(path, { ...query, ...(cursor ? { cursor } : {}) }, own.signal).then(
      (answer) => {
        const [entries, next] = entriesOf(answer);
        // The server looks at a bounded number of rows for a page, of which perhaps none fits.
        if (!entries.length && next) return load(next);
        return setState((before) => ({
          entries: cursor ? [...before.entries, ...entries] : entries,
          first: before.first ?? answer,
          cursor: next ?? null,
          error: null,
          loading: false,
        }));
      },
      (error) => own.signal.aborted || setState((before) => ({ ...before, error, loading: false })),
    );
  };

  useEffect(() => {
    setState(empty);
    load(null);
    return () => stop.current?.abort();
  }, [question, turn]);

  const next = () => {
    if (state.loading || !state.cursor) return;
    setState((before) => ({ ...before, loading: true, error: null }));
    load(state.cursor);
  };
  return { ...state, more: state.cursor !== null, next, reload: () => setTurn((before) => before + 1) };
}
