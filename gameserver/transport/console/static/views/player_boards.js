// Where a player stands: on boards as they are, among its neighbours, and in seasons that are over.

import { Fault } from '../lib/dialog.js';
import { date, number } from '../lib/format.js';
import { html, useEffect, useRef } from '../lib/html.js';
import { usePages, useRead, useReload } from '../lib/load.js';
import { Link, urlOf } from '../lib/router.js';
import { At, PagedSheet, Sheet, Text, Who } from './player_parts.js';

const RADIUS = 10;
const PAGE = 50;
const ALL_TIME = 'all-time';

export const nameOf = (season) => (season === ALL_TIME ? 'all time' : date(season));

// Leads to the board around the player.
function Board({ id, board, season }) {
  return html`<${Link} to=${urlOf('player', [id], { tab: 'boards', board, season })}>${board}<//>`;
}

export function Places({ id, page }) {
  const rows = page.places.map(({ board, season, total, stale, entry }) => [
    html`<${Board} id=${id} board=${board} season=${season} />${stale ? ' (old)' : ''}`,
    nameOf(season),
    number(entry.rank),
    number(total),
    number(entry.score),
    html`<${At} at=${entry.reached_at} />`,
  ]);
  return html`<${Sheet} caption="Places on boards" heads=${['Board', 'Season', 'Rank', 'Of', 'Score', 'Reached']} rows=${rows}
    empty="It is on no board, or boards can't be read just now." />`;
}

export function Boards({ id, page, query }) {
  const past = usePages(`/players/${id}/places`, { limit: PAGE });
  useReload(past.reload, page);
  const row = ({ board, start, rank, score, reward, rewarded }) => [
    html`<${Board} id=${id} board=${board} season=${start} />`,
    date(start),
    number(rank),
    number(score),
    reward ? html`<${Text}>${[reward.exp && `${number(reward.exp)} EXP`, reward.text].filter(Boolean).join(', ')}<//>` : '–',
    rewarded ?? '–',
  ];
  return html`
    <${Places} id=${id} page=${page} />
    ${query.board && html`<${Around} id=${id} page=${page} board=${query.board} season=${query.season || 'current'} />`}
    <${PagedSheet} caption="Past seasons" heads=${['Board', 'Began', 'Rank', 'Score', 'Reward', 'How it ended']} pages=${past}
      row=${row} empty="It has a place in no season that is over." />
  `;
}

// Comes into sight when a board is chosen: the link to it may be far below.
function Around({ id, page, board, season }) {
  const place = useRef(null);
  useEffect(() => place.current.scrollIntoView({ block: 'start' }), [board, season]);
  const asked = useRead(`/boards/${encodeURIComponent(board)}/around/${id}`, { season, radius: RADIUS }, '/v1');
  useReload(asked.reload, page);
  const rows = (asked.value?.entries ?? []).map(({ rank, score, reached_at: at, player }) => [
    player.id === id ? html`<strong aria-current="true"><${Text}>${player.name}<//></strong>` : html`<${Who} ...${player} />`,
    player.class,
    number(player.level),
    number(rank),
    number(score),
    html`<${At} at=${at} />`,
  ]);
  return html`<div ref=${place}>
    <${Fault} error=${asked.error} again=${asked.reload} />
    ${asked.loading && !asked.value && html`<p role="status">Loading the board…</p>`}
    ${asked.value && html`<${Sheet} caption=${`Around it on ${board}`} heads=${['Player', 'Class', 'Level', 'Rank', 'Score', 'Reached']}
      rows=${rows} empty="It isn't on this board." />`}
  </div>`;
}
