// Figures, items and what rules remember as operators type them, read strictly.
//
// Law: nothing that was typed is left out, counted otherwise or guessed: what can't be read is a `problem` of its field.

import { GROUP } from './format.js';

const WHOLE = /^[+-]?\d+$/;
const SIGNS = [GROUP, ' ', '\u00A0', '\u202F', '_'];

// What sets the thousands of a number apart; '' if nothing does.
const signOf = (typed) => SIGNS.find((sign) => {
  const [first, ...rest] = typed.split(sign);
  return rest.length && /^[+-]?\d{1,3}$/.test(first) && rest.every((part) => /^\d{3}$/.test(part));
}) ?? '';

// A whole number, with the thousands set apart as the console shows them or not at all: {value, problem}; neither of ''.
export function numberOf(text) {
  const typed = text.trim();
  if (!typed) return {};
  const digits = typed.replaceAll(signOf(typed), '');
  const value = Number(digits);
  return WHOLE.test(digits) && Number.isSafeInteger(value) ? { value } : { problem: `“${typed}” isn't a whole number.` };
}

// "potion 3, herb -2", also with : or = before the number: {items, problem}.
export function itemsOf(text) {
  const found = new Map();
  const ended = (problem) => ({ items: Object.fromEntries(found), problem });
  for (const part of text.split(',').map((each) => each.trim()).filter(Boolean)) {
    const [, name, count] = /^([^\s:=]+)[\s:=]*(.*)$/s.exec(part) ?? [null, part, ''];
    const { value, problem } = numberOf(count);
    if (problem) return ended(`${name}: ${problem}`);
    if (value === undefined) return ended(`“${part}” has no number: write it as in potion 3.`);
    if (found.has(name)) return ended(`${name} is named twice.`);
    found.set(name, value);
  }
  return ended();
}

const NOT_READ = {}; // no value that can be typed

// A value as JSON has it, NOT_READ for what is none of a rule's; null if nothing is typed.
function datumOf(typed) {
  if (!typed) return null;
  try {
    const value = JSON.parse(typed);
    return ['string', 'boolean'].includes(typeof value) || (WHOLE.test(typed) && Number.isSafeInteger(value)) ? value : NOT_READ;
  } catch {
    return NOT_READ;
  }
}

// 'wins = 3', 'seen = true', 'title = "hero"' and 'gone =', each in a line of its own: {data, problem}.
export function dataOf(text) {
  const found = new Map();
  const ended = (problem) => ({ data: Object.fromEntries(found), problem });
  for (const line of text.split('\n').map((each) => each.trim()).filter(Boolean)) {
    const [, name, typed] = /^(.*?)\s*=\s*(.*)$/s.exec(line) ?? [null, '', ''];
    if (!name) return ended(`“${line}” isn't written as in wins = 3.`);
    const value = datumOf(typed);
    if (value === NOT_READ) return ended(`${name}: “${typed}” is neither a whole number, true, false, nor a text such as "hero".`);
    if (found.has(name)) return ended(`${name} is named twice.`);
    found.set(name, value);
  }
  return ended();
}
