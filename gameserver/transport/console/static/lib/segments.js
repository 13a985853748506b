// Which filters of the list of players a letter to many players can have, too.

export const MOMENTS = ['created_since', 'created_until', 'seen_since', 'seen_until'];
export const LEVELS = ['min_level', 'max_level'];
const FITTING = ['class', ...LEVELS, ...MOMENTS, 'banned', 'by', 'order'];

// The filters of a list that a letter can't have: without one of them it would reach others, too.
export const unfit = (query) => Object.keys(query).filter((name) => query[name] && !FITTING.includes(name));
