// Figures, moments and names as people read them, in the browser's language.

const LANGUAGES = navigator.languages;
const whole = new Intl.NumberFormat(LANGUAGES);
const short = new Intl.NumberFormat(LANGUAGES, { notation: 'compact', maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(LANGUAGES, { dateStyle: 'medium', timeStyle: 'medium' });
const zone = new Intl.DateTimeFormat(LANGUAGES, { timeZoneName: 'short' });
const day = new Intl.DateTimeFormat(LANGUAGES, { dateStyle: 'medium' });
const clock = new Intl.DateTimeFormat(LANGUAGES, { timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(LANGUAGES, { numeric: 'auto', style: 'long' });
const UNITS = [['year', 31_557_600], ['month', 2_629_800], ['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]];
const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const LONG = 40; // characters
const HANGUL = /\p{Script=Hangul}/u;
const KANA = /\p{Script=Hiragana}|\p{Script=Katakana}/u;
const HAN = /\p{Script=Han}/u;
// What sets thousands apart.
export const GROUP = whole.formatToParts(1_000_000).find((part) => part.type === 'group')?.value ?? ' ';
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/;

// A moment as people read it; what isn't one stays as it is: an address may have any text, and no view ends by it.
function written(format, text) {
  if (!text) return '–';
  const at = new Date(text);
  return isNaN(at) ? String(text) : format.format(at);
}

export const number = (value) => (value === null || value === undefined ? '–' : whole.format(value));
export const compact = (value) => (value === null || value === undefined ? '–' : short.format(value));
// A count with its word: "1 player", "1,200 players".
export const counted = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;
// What the clock is called then, such as "GMT+2": styles have no room for that.
const clockAt = (at) => zone.formatToParts(at).find((part) => part.type === 'timeZoneName').value;
export const when = (text) => written({ format: (at) => `${moment.format(at)} ${clockAt(at)}` }, text);
// The zone of time in which every moment is shown and typed, which is the browser's.
export const ZONE = moment.resolvedOptions().timeZone;
export const date = (text) => written(day, text);
// The time of day of so many seconds since 1970.
export const timeOfDay = (value) => clock.format(new Date(value * 1000));
export const percent = (share, digits = 1) => `${(share * 100).toFixed(digits)} %`;

// The moment that a UUID of version 7 carries, such as a command id.
export const momentOf = (id) => new Date(parseInt(id.replaceAll('-', '').slice(0, 12), 16));

// "3 hours ago", "in 2 days".
export function ago(text, now = Date.now()) {
  if (!text) return '–';
  const seconds = (new Date(text) - now) / 1000;
  if (isNaN(seconds)) return String(text);
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? UNITS.at(-1);
  return relative.format(Math.round(seconds / size), unit);
}

export function seconds(value) {
  if (value === null || value === undefined) return '–';
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${value.toFixed(1)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return value < 172_800 ? `${(value / 3600).toFixed(1)} h` : `${Math.round(value / 86_400)} d`;
}

export function bytes(value) {
  if (value === null || value === undefined) return '–';
  const step = Math.min(BYTES.length - 1, value > 0 ? Math.floor(Math.log2(value) / 10) : 0);
  return `${(value / 1024 ** step).toFixed(step ? 1 : 0)} ${BYTES[step]}`;
}

// The language of a name, so that a browser breaks its lines and chooses its glyphs as readers of it expect.
export function languageOf(name) {
  if (HANGUL.test(name)) return 'ko';
  if (KANA.test(name)) return 'ja';
  return HAN.test(name) ? 'zh' : undefined;
}

// The class of a text: what is long gets room, and may be broken anywhere.
export const lengthOf = (text) => (String(text).length > LONG ? 'long' : undefined);

// Whether a text is a moment that fields and the server have, whose years have four digits.
export const isMoment = (text) => MOMENT.test(text) && MOMENT.test(isoOf(text));

function isoOf(text) {
  const at = new Date(text);
  return isNaN(at) ? '' : at.toISOString();
}

// A moment of the browser's own zone, from an <input type="datetime-local">, as the server takes it; '' of ''. What
// isn't a moment stays as it is, so that the server names the field. `given` is what the field was filled from: while it
// still shows that, the answer is that, with what a field has no room for, such as its milliseconds.
export const toServer = (local, given) =>
  (isMoment(given) && local === toLocal(given) ? given : isMoment(local) ? isoOf(local) : local);

// The same the other way round, to the second and as short as fields write it; '' of what isn't a moment.
export function toLocal(text) {
  if (!isMoment(text)) return '';
  const at = new Date(text);
  return isoOf(at - at.getTimezoneOffset() * 60_000).slice(0, 19).replace(/:00$/, '');
}

// What the clock is called at a moment of a field (`toServer`), or now without one. When clocks go back an hour comes twice:
// what is typed there is its first.
export function zoneAt(local, given) {
  const at = local ? new Date(toServer(local, given)) : new Date();
  return isNaN(at) ? '' : clockAt(at);
}
