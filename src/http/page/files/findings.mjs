/** What the doctor finds: what, why, and what to do. */
import { get } from './api.mjs';
import { badge, button, make, viewOf } from './dom.mjs';

const STATES = { error: 'NG', warning: 'ERROR', note: 'none' };

const findings = make('ul.findings', { 'aria-live': 'polite' });
const verify = make('input', { type: 'checkbox' });

const finding = ({ id, severity, what, why, remedy, fix }) =>
  make(
    'li',
    {},
    make('p', {}, badge(STATES[severity], `severity_${severity}`), make('strong', {}, ` ${what}`)),
    make('p', {}, why),
    make('p.remedy', {}, remedy),
    make(
      'p.id',
      {},
      id,
      ...(fix ? [' · ', make('code', {}, 'procvision-runner doctor --fix'), ` ${fix.what}`] : []),
    ),
  );

async function look() {
  findings.replaceChildren(make('li', {}, make('p', { w: 'looking' })));
  try {
    const found = await get(`doctor?${new URLSearchParams({ verify: String(verify.checked) })}`);
    findings.replaceChildren(
      ...(found.length > 0 ? found.map(finding) : [make('li', {}, badge('OK', 'sound'))]),
    );
  } catch (error) {
    findings.replaceChildren();
    throw error;
  }
}

export function build() {
  const again = button('lookAgain', look);
  viewOf('doctor').append(
    make(
      'div.bar',
      {},
      make('h2', { w: 'navDoctor' }),
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
