// Links to files of the server. What keeps one from being had is told in the page: a browser shows only that it failed.

import { download, requireFile } from './api.js';
import { html, useEffect, useRef } from './html.js';

// `onFault(error)` gets what stands in its way, and null once that is out of date.
export function Download({ path, query = {}, onFault, children }) {
  const href = download(path, query);
  const isBusy = useRef(false);
  useEffect(() => () => onFault(null), [href]);
  const take = async (event) => {
    event.preventDefault();
    if (isBusy.current) return;
    isBusy.current = true;
    try {
      await requireFile(path, query);
      onFault(null);
      Object.assign(document.createElement('a'), { href, download: '' }).click();
    } catch (error) {
      onFault(error);
    } finally {
      isBusy.current = false;
    }
  };
  return html`<a class="button" href=${href} download onClick=${take}>${children}</a>`;
}
