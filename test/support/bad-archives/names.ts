import { unicodePathField } from '../forge-zip.js';
import { named, twice, type BadArchive } from './base.js';

/** An entry has a name that is no safe path, or one that another has too. */
export const NAMES: BadArchive[] = [
  {
    title: 'a name that climbs out',
    bytes: named('../evil.py'),
    fault: /a "\.\." segment/,
    entry: '../evil.py',
  },
  { title: 'a name that climbs out from within', bytes: named('a/../../evil.py'), fault: /a "\.\." segment/ },
  {
    title: 'a name that climbs out by backslashes',
    bytes: named('..\\..\\evil.py'),
    fault: /a "\.\." segment/,
  },
  {
    title: 'a name that climbs out by mixed separators',
    bytes: named('a/..\\../evil.py'),
    fault: /a "\.\." segment/,
  },
  { title: 'a name with a dot segment', bytes: named('a/./b.py'), fault: /a "\." segment/ },
  {
    title: 'a folder named dot beside names that do not start there',
    bytes: named('./', { data: '' }),
    fault: /a "\." segment/,
  },
  { title: 'a name with an empty segment', bytes: named('a//b.py'), fault: /empty segment/ },
  { title: 'an absolute name', bytes: named('/etc/passwd'), fault: /absolute path/, entry: '/etc/passwd' },
  { title: 'a name that is only a slash', bytes: named('/', { data: '' }), fault: /absolute path/ },
  { title: 'an absolute name by backslash', bytes: named('\\windows\\evil.dll'), fault: /absolute path/ },
  { title: 'a network name', bytes: named('\\\\server\\share\\evil.dll'), fault: /absolute path/ },
  { title: 'a name with a drive letter', bytes: named('C:\\evil.dll'), fault: /drive letter/ },
  { title: 'a name relative to a drive', bytes: named('c:evil.dll'), fault: /drive letter/ },
  { title: 'a name with an alternate stream', bytes: named('a/main.py:hidden'), fault: /":" in it/ },
  { title: 'an empty name', bytes: named(''), fault: /name is empty/ },
  {
    title: 'a name with NUL',
    bytes: named('main.py\0.txt'),
    fault: /NUL character/,
    entry: 'main.py\\u0000.txt',
  },
  { title: 'a name with a newline', bytes: named('main\n.py'), fault: /control character/ },
  { title: 'a name with a terminal escape', bytes: named('\x1b[2Jmain.py'), fault: /control character/ },
  { title: 'a name with a line separator', bytes: named('main\u2028.py'), fault: /control character/ },
  {
    title: 'a name that turns the direction of writing',
    bytes: named('main\u202eyp.exe'),
    fault: /direction/,
  },
  { title: 'a console name', bytes: named('assets/con'), fault: /gives to a device/ },
  { title: 'a printer name with an ending', bytes: named('LPT1.txt'), fault: /gives to a device/ },
  {
    title: 'a device name with a blank before the ending',
    bytes: named('nul .txt'),
    fault: /gives to a device/,
  },
  { title: 'a device name as a folder', bytes: named('aux/main.py'), fault: /gives to a device/ },
  { title: 'a port with a raised digit', bytes: named('COM\u00b9.log'), fault: /gives to a device/ },
  { title: 'the input of the console', bytes: named('logs/conin$.txt'), fault: /gives to a device/ },
  { title: 'a port numbered zero', bytes: named('lpt0'), fault: /gives to a device/ },
  {
    title: 'a code of Info-ZIP that stands for a slash',
    bytes: named('a#U002f..#U002fevil.py', {
      extra: unicodePathField('a/../evil.py', 'a#U002f..#U002fevil.py'),
    }),
    fault: /a "\.\." segment/,
  },
  { title: 'a segment that ends in a dot', bytes: named('assets./a.txt'), fault: /dot or space/ },
  { title: 'a segment that ends in a space', bytes: named('main.py '), fault: /dot or space/ },
  { title: 'a wildcard in a name', bytes: named('what?.txt'), fault: /"\?" in it/ },
  { title: 'a segment of 300 bytes', bytes: named('x'.repeat(300)), fault: /longer than 255 bytes/ },
  {
    title: 'a segment of 270 bytes in 90 characters',
    bytes: named('图'.repeat(90)),
    fault: /longer than 255 bytes/,
  },
  {
    title: 'a name of 2,000 bytes',
    bytes: named('folder/'.repeat(285) + 'a.py'),
    fault: /longer than 1024 bytes/,
  },
  {
    title: 'bytes that are not UTF-8 under the UTF-8 flag',
    bytes: named(Buffer.from([0x61, 0xff, 0xfe])),
    fault: /flagged as UTF-8 but is not/,
  },
  {
    title: 'an overlong UTF-8 slash',
    bytes: named(Buffer.from([0x2e, 0x2e, 0xc0, 0xaf, 0x65])),
    fault: /flagged as UTF-8 but is not/,
  },
  {
    title: 'GBK bytes whose decoded name climbs out',
    bytes: named(Buffer.from([0x2e, 0x2e, 0x5c, 0xd6, 0xd0]), { flags: 0 }),
    fault: /a "\.\." segment/,
  },
  {
    title: 'a Unicode path field that contradicts the name',
    bytes: named('main.py', { extra: unicodePathField('../../evil.py', 'main.py') }),
    fault: /Unicode path field says/,
  },
  {
    title: 'a Unicode path field that moves a name of a local code page elsewhere',
    bytes: named(Buffer.from([0xbc, 0xec, 0x2f, 0xb2, 0xe2]), {
      flags: 0,
      extra: unicodePathField('检测/../main.py', Buffer.from([0xbc, 0xec, 0x2f, 0xb2, 0xe2])),
    }),
    fault: /Unicode path field says|a "\.\." segment/,
  },
  {
    title: 'a Unicode path field that gives ASCII for a name of a local code page',
    bytes: named(Buffer.from([0xbc, 0xec, 0xb2, 0xe2]), {
      flags: 0,
      extra: unicodePathField('main.py', Buffer.from([0xbc, 0xec, 0xb2, 0xe2])),
    }),
    fault: /Unicode path field says "main\.py"/,
  },
  {
    title: 'a Unicode path field that is not UTF-8',
    bytes: named('main.py', { extra: unicodePathField(Buffer.from([0xff]), 'main.py') }),
    fault: /Unicode path field is not UTF-8/,
  },
  {
    title: 'one name twice',
    bytes: twice('a/main.py', 'a/main.py'),
    fault: /is there twice/,
    entry: 'a/main.py',
  },
  {
    title: 'one name in two letter cases',
    bytes: twice('Main.py', 'main.py'),
    fault: /collides with "Main.py"/,
  },
  {
    title: 'one folder in two letter cases',
    bytes: twice('Wheels/a', 'wheels/b'),
    fault: /collides with "Wheels"/,
  },
  {
    title: 'one name in two letter cases outside ASCII',
    bytes: twice('STRASSE.txt', 'straße.txt'),
    fault: /collides with "STRASSE.txt"/,
  },
  { title: 'one name in two Unicode forms', bytes: twice('caf\u00e9', 'cafe\u0301'), fault: /collides with/ },
  {
    title: 'one name with and without a mark of no width',
    bytes: twice('main.py', 'ma\u200din.py'),
    fault: /collides/,
  },
  { title: 'one name by slash and by backslash', bytes: twice('a/b.py', 'a\\b.py'), fault: /is there twice/ },
  {
    title: 'one name with and without a dot folder in front',
    bytes: twice('a/b.py', './a/b.py'),
    fault: /is there twice/,
  },
  { title: 'a file where a folder is', bytes: twice('a/b.py', 'a'), fault: /file and a folder at once/ },
  { title: 'a folder where a file is', bytes: twice('a', 'a/b.py'), fault: /file and a folder at once/ },
];
