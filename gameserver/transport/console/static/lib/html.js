// What every module of the console draws with.
export { html, render, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState }
  from '/console/vendor/htm-preact-3.1.1.js';
