/** What the doctor finds: what, why, what to do, and a button where the station can do it itself. */
import { get, operator, placeWith, post } from './api.mjs';
import { asking } from './dialogs.mjs';
import { timeOf } from './words.mjs';
import { badge, button, english, failure, make, original, tell, viewOf } from './dom.mjs';

const STATES = { error: 'NG', warning: 'ERROR', note: 'none' };

const findings = make('ul.findings', { 'aria-live': 'polite' });
const verify = make('input', { type: 'checkbox' });
const lookedAt = make('time.count');
/** Of the findings that are shown: what was looked at. */
let asked = {};

/** `fixed` is called with what a fix has brought. */
function finding({ id, severity, what, why, remedy, fix, error }, fixed) {
  return make(
    'li',
    {},
    make(
      'p',
      {},
      badge(STATES[severity], `severity_${severity}`),
      ' ',
      make('strong', { w: `finding_${id}`, wElse: what }),
    ),
    make('p.remedy', { w: `findingDo_${id}`, wElse: remedy }),
    original(what),
    english(why),
    original(remedy),
    ...(error ? [failure({ problem: error })] : []),
    make('p.id', {}, id),
    ...(fix && fixed
      ? [make('div.actions', {}, fixButton('fix', { id, what }, going({ id, what, fix }), fixed))]
      : []),
  );
}

/** What would be put right, and how. */
const going = ({ id, what, fix }) =>
  make('div', {}, make('strong', { w: `finding_${id}`, wElse: what }), original(what), english(fix.what));

/** Asks, has the station put it right, and shows what is found then. */
const fixButton = (w, meant, content, fixed) =>
  asking(w, { title: { w }, text: { w: 'fixText' }, content }, async () => {
    const report = await post(placeWith('doctor/fix', { ...asked, ...operator() }), meant);
    fixed(report);
    tell(report.failed.length > 0 ? 'notFixed' : 'fixed');
  });

/** Findings as a list, without buttons: those of one version. */
export const findingsList = (found) =>
  make('ul.findings', {}, found.length > 0 ? found.map((one) => finding(one)) : [none()]);

const none = () => make('li', {}, badge('OK', 'sound'));

let again;

function show(found, failed = []) {
  const withFailures = found.map((one) => ({
    ...one,
    ...failed.find(({ id, what }) => id === one.id && what === one.what),
  }));
  const fixed = (report) => {
    show(report.findings, report.failed);
    again.focus(); // the button that was pressed is gone
  };
  const mendable = found.filter(({ fix }) => fix);
  const all =
    mendable.length > 1 ? [make('li.actions', {}, fixButton('fixAll', {}, mendable.map(going), fixed))] : [];
  lookedAt.dateTime = new Date().toISOString();
  lookedAt.textContent = timeOf(lookedAt.dateTime);
  findings.replaceChildren(
    ...all,
    ...(found.length > 0 ? withFailures.map((one) => finding(one, fixed)) : [none()]),
  );
}

async function look() {
  findings.replaceChildren(make('li', {}, make('p', { w: 'looking' })));
  asked = { verify: String(verify.checked) };
  try {
    show(await get(placeWith('doctor', asked)));
  } catch (error) {
    findings.replaceChildren();
    throw error;
  }
}

export function build() {
  again = button('lookAgain', look);
  viewOf('doctor').append(
    make(
      'div.bar',
      {},
      make('h2', { w: 'navDoctor' }),
      lookedAt,
      make('label.tick', {}, verify, make('span', { w: 'verifyFiles' })),
      again,
    ),
    findings,
  );
  let isSeen = false;
  return () => {
    if (!isSeen) again.click();
    isSeen = true;
  };
}
