/** Words of the page in the language that a person has chosen, else in that of the browser. */
import { EN } from './words-en.mjs';
import { CHECKS, FAILURES, FINDINGS } from './told-zh.mjs';
import { ZH } from './words-zh.mjs';

/** What the station says in English, where the page has it in another language: a title and a remedy by what it is known by. */
const told = (kind, texts) =>
  Object.entries(texts).flatMap(([id, [title, remedy]]) => [
    [`${kind}_${id}`, title],
    [`${kind}Do_${id}`, remedy],
  ]);
const TOLD = Object.fromEntries([
  ...told('finding', FINDINGS),
  ...told('failure', FAILURES),
  ...Object.entries(CHECKS).map(([name, title]) => [`check_${name}`, title]),
]);

const LANGUAGES = [
  { code: 'en', title: 'English', words: EN },
  { code: 'zh-CN', title: '中文', words: { ...ZH, ...TOLD } },
];
const KEPT = 'language';
const KINDS = [
  ['w', 'textContent'],
  ['wlabel', 'ariaLabel'],
  ['wplaceholder', 'placeholder'],
];

const listeners = new Set();
let language = languageOf(localStorage.getItem(KEPT) ?? navigator.language);

function languageOf(code) {
  return LANGUAGES.find((one) => one.code.slice(0, 2) === code.slice(0, 2)) ?? LANGUAGES[0];
}

export const nextLanguage = () => LANGUAGES[(LANGUAGES.indexOf(language) + 1) % LANGUAGES.length];

/** Calls back now and after each change of the language. */
export function onLanguage(listener) {
  listeners.add(listener);
  listener();
}

/** Every word of the page anew, in a language that is kept from now on where it is given. */
export function setLanguage(code) {
  if (code !== undefined) {
    language = languageOf(code);
    localStorage.setItem(KEPT, language.code);
  }
  document.documentElement.lang = language.code;
  for (const element of document.querySelectorAll('[data-w], [data-wlabel], [data-wplaceholder]'))
    translate(element);
  document.title = word('title');
  for (const listener of listeners) listener();
}

/** The words of one element. */
export function translate(element) {
  for (const [kind, property] of KINDS) {
    const key = element.dataset[kind];
    if (key !== undefined)
      element[property] = word(
        key,
        JSON.parse(element.dataset[`${kind}Values`] ?? '{}'),
        element.dataset[`${kind}Else`],
      );
  }
}

/** A sentence with its values. For a word that there is not stands another, or its key: a station may be newer than the page. */
function word(key, values, otherwise = key.replace(/^.*_/, '')) {
  const text = Object.hasOwn(language.words, key) ? language.words[key] : otherwise;
  return text.replaceAll(/\{(\w+)\}/g, (whole, name) =>
    Object.hasOwn(values, name) ? String(values[name]) : whole,
  );
}

const dateWith = (options) => (at) => new Intl.DateTimeFormat(language.code, options).format(new Date(at));
const isToday = (at) => new Date(at).toDateString() === new Date().toDateString();
const time = dateWith({ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const day = dateWith({ month: '2-digit', day: '2-digit' });

/** The time of today, or with its day; nothing for what is no time. */
export const timeOf = (at) =>
  Number.isNaN(new Date(at).getTime()) ? '' : isToday(at) ? time(at) : `${day(at)} ${time(at)}`;
export const dateOf = dateWith({ dateStyle: 'medium', timeStyle: 'short' });
export const numberOf = (value) =>
  new Intl.NumberFormat(language.code, {
    maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0,
  }).format(value);

export function bytesOf(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const at = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${numberOf(bytes / 1_000 ** at)} ${units[at]}`;
}

export function durationOf(ms) {
  const seconds = Math.round(ms / 1_000);
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
