// Checks of boards against the databases, and seasons with what they would reward.

import { Age } from '../lib/age.js';
import { ask } from '../lib/api.js';
import { Change, Dialog, Fault } from '../lib/dialog.js';
import { ago, counted, languageOf, number, when } from '../lib/format.js';
import { html, useRef, useState } from '../lib/html.js';
import { usePolled, useRead } from '../lib/load.js';
import { Link, go, isAt, urlOf } from '../lib/router.js';
import { may } from './index.js';

const SAMPLE = 500;
const SEASONS = 100; // shown at first, and with each further page
const SEASONS_MS = 10_000;
const SEASONS_OLD = 30; // seconds
const [PLACES, MOST_PLACES] = [100, 1000];

// The newest answer to a question whose limit grows: what is shown stays until more has come.
function useNewest(value) {
  const newest = useRef(null);
  newest.current = value ?? newest.current;
  return newest.current;
}

export function Boards({ admin, onTold }) {
  const asked = useRead('/boards', {}, '/v1');
  const boards = (asked.value?.boards ?? []).map((board) => board.name);
  const [checks, setChecks] = useState({});
  const [rebuilt, setRebuilt] = useState(null);
  const check = async (board) => {
    setChecks((before) => ({ ...before, [board]: { busy: true } }));
    const found = await ask('GET', `/boards/${encodeURIComponent(board)}/check`, { query: { sample: SAMPLE } }).catch((error) => ({ error }));
    setChecks((before) => ({ ...before, [board]: found }));
  };
  return html`<section><h2>Boards</h2><p class="faint">A check compares about ${SAMPLE} places with the databases; nodes do so by themselves, too.</p>
    <${Fault} error=${asked.error} again=${asked.reload} />
    <div class="scroll" role="region" aria-label="Boards" tabindex="0"><table><thead><tr><th scope="col">Board</th><th scope="col">Result</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
    <tbody>${boards.map((board) => {
      const found = checks[board];
      return html`<tr key=${board}><th scope="row">${board}</th><td role="status">
        ${found?.busy && 'checking…'}${found?.error && found.error.message}
        ${found?.compared !== undefined && html`<span class=${`tag ${found.differing ? 'bad' : 'good'}`}>${number(found.compared)} compared, ${counted(found.differing, 'differs', 'differ')}</span>`}</td>
        <td><button type="button" class="plain" disabled=${found?.busy} onClick=${() => check(board)}>Check ${board}</button>
          ${may(admin.role, 'operator') && html` <button type="button" class="plain" onClick=${() => setRebuilt(board)}>Rebuild ${board}…</button>`}</td></tr>`;
    })}</tbody></table></div>
    ${rebuilt && html`<${Change} title=${`Rebuild ${rebuilt}`} verb="Rebuild" onClose=${() => setRebuilt(null)}
      request=${(_, preview) => (preview ? null : { method: 'POST', path: `/boards/${encodeURIComponent(rebuilt)}/rebuild` })}
      fields=${() => html`<p>It is built anew from the databases; the present one is served until the new one is complete.</p>`}
      onDone=${() => onTold(`${rebuilt} is being rebuilt.`)} />`}</section>`;
}

// Of the season of the board that the address names, its rewards are shown.
export function Seasons({ route, admin }) {
  const [limit, setLimit] = useState(SEASONS);
  const asked = usePolled('/seasons', { limit }, SEASONS_MS);
  const value = useNewest(asked.value);
  const shown = route.query.rewards;
  const show = (rewards) => go(urlOf('fleet', [], { ...route.query, rewards }), { replace: true });
  return html`<section><h2>Seasons</h2><${Fault} error=${asked.error} again=${asked.reload} /><${Age} at=${asked.at} seconds=${SEASONS_OLD} />
    ${value && html`<div class="scroll" role="region" aria-label="Seasons" tabindex="0"><table><thead><tr><th scope="col">Board</th><th scope="col">State</th><th scope="col">From</th><th scope="col">Until</th>
      <th scope="col" class="n">Players</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
      <tbody>${[...value.seasons].reverse().map((season) => html`<tr key=${season.board + season.start}>
        <th scope="row">${season.board}</th><td><span class="tag">${season.state}</span></td><td>${when(season.start)}</td>
        <td><time datetime=${season.end} title=${ago(season.end)}>${when(season.end)}</time></td><td class="n">${number(season.players)}</td>
        <td>${season.state === 'running' && html`<button type="button" class="plain" onClick=${() => show(season.board)}>Rewards of ${season.board} as of now…</button>`}</td></tr>`)}
      </tbody></table></div>`}
    <div class="more" tabindex="-1">${value?.more && html`<button type="button" onClick=${() => setLimit(limit + SEASONS)}>Show more seasons</button>`}</div>
    ${shown && html`<${Rewards} board=${shown} opens=${may(admin.role, 'support')} onClose=${() => isAt(route) && show(null)} />`}</section>`;
}

// `opens`: whether the operator may look at players.
function Rewards({ board, opens, onClose }) {
  const [limit, setLimit] = useState(PLACES);
  const { value: answer, error, loading, reload } = useRead(`/seasons/${encodeURIComponent(board)}/preview`, { limit });
  const value = useNewest(answer);
  const reward = (each) => (each ? [each.exp && `${number(each.exp)} exp`, each.text].filter(Boolean).join(', ') : '–');
  return html`<${Dialog} title=${`${board}: if it ended now`} onClose=${onClose} wide>
    <${Fault} error=${error} again=${reload} />
    ${loading && html`<p role="status">Counting…</p>`}
    ${value && html`<p>It ends ${when(value.season.end)}. Nothing is paid by looking.
        ${value.rewarded && ` ${counted(value.rewarded.players, 'player')} would be rewarded, with ${number(value.rewarded.exp)} EXP in all.`}</p>
      <div class="scroll" role="region" aria-label="Places and rewards" tabindex="0"><table><thead><tr><th scope="col" class="n">Rank</th><th scope="col">Player</th><th scope="col" class="n">Score</th><th scope="col">Reward</th></tr></thead>
      <tbody>${value.places.map((place) => html`<tr key=${place.player}><td class="n">${number(place.rank)}</td>
        <td lang=${languageOf(place.name)}>${opens ? html`<${Link} to=${urlOf('player', [place.player])}>${place.name}<//>` : place.name}</td>
        <td class="n">${number(place.score)}</td><td>${reward(place.reward)}</td></tr>`)}</tbody></table></div>
      ${value.places.length >= PLACES && html`<p class="more" tabindex="-1">These are the best ${number(value.places.length)}.
        ${limit < MOST_PLACES && html` <button type="button" onClick=${() => setLimit(MOST_PLACES)}>Show ${number(MOST_PLACES)}</button>`}</p>`}
      ${!value.places.length && html`<p class="faint">Nobody has scored yet.</p>`}`}
  <//>`;
}
