// What keeps a fault of the page's own scripts where it happened.
//
// Law: no fault of a view ends the console: it is told in the view's place, and what is around it goes on.

import { Fault } from './dialog.js';
import { Component, html, useLayoutEffect, useState } from './html.js';

// Draws its children until they fail, and then what failed, until `route` is another one.
export class Boundary extends Component {
  componentDidCatch(error) {
    console.error(error);
    this.setState({ error, route: this.props.route });
  }

  render({ children, route }, { error, route: failed }) {
    if (!error || failed !== route) return children;
    const again = () => this.setState({ error: null });
    return html`<h1>This page can't be shown</h1>
      <${Fault} error=${{ message: `It failed: ${error.message}. The other pages go on.` }} />
      <p><button type="button" onClick=${again}>Try again</button></p>`;
  }
}

// A fault of a script that no view is drawn by, such as of a button: told on top until it is closed.
export function Mishap() {
  const [text, setText] = useState('');
  useLayoutEffect(() => { // a fault may come before the page is painted
    const failed = ({ error, reason = error }) => reason && reason.name !== 'AbortError' && setText(reason.message ?? String(reason));
    addEventListener('error', failed);
    addEventListener('unhandledrejection', failed);
    return () => {
      removeEventListener('error', failed);
      removeEventListener('unhandledrejection', failed);
    };
  }, []);
  return text && html`<div class="fault bar mishap" role="alert"><p>Something failed in this page: ${text}.</p>
    <button type="button" onClick=${() => setText('')}>Close</button></div>`;
}
