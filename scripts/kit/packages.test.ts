import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  debianEntries,
  formatPreferences,
  isSupportedDebian,
  needsNewerSuite,
  parseOsRelease,
} from './packages.ts';

const BOOKWORM = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
`;

const STANZAS = `Types: deb
# a comment between fields
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://elsewhere.test/apt
Suites: nodistro
Components: main
`;

test('os-release: Debian 12 is supported and needs the newer suite', () => {
  const os = parseOsRelease(BOOKWORM);
  assert.deepEqual(os, {
    id: 'debian',
    name: 'Debian GNU/Linux 12 (bookworm)',
    version: 12,
    codename: 'bookworm',
  });
  assert.equal(isSupportedDebian(os), true);
  assert.equal(needsNewerSuite(os), true);
});

for (const [what, text, isSupported] of [
  ['Debian 13', 'ID=debian\nVERSION_ID=13\nVERSION_CODENAME=trixie', true],
  ['Debian 11', 'ID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye', false],
  ['Debian sid, which has no number', "ID=debian\nPRETTY_NAME='Debian sid'", false],
  ['another system', 'ID=alpine\nVERSION_ID=3.20.1', false],
  ['an empty file', '', false],
] as const) {
  test(`os-release: ${what} is ${isSupported ? '' : 'not '}supported`, () => {
    const os = parseOsRelease(text);
    assert.equal(isSupportedDebian(os), isSupported);
    if (isSupported) assert.equal(needsNewerSuite(os), false);
  });
}

test("sources: Debian's own stanzas are followed by their twins, others are left out", () => {
  const [first = '', second = ''] = STANZAS.split('\n\n');
  const twins = [first, second].flatMap((stanza) => [stanza, stanza.replaceAll('bookworm', 'trixie')]);
  assert.equal(debianEntries(STANZAS, 'bookworm', 'trixie'), twins.map((stanza) => `${stanza}\n\n`).join(''));
});

test('sources: of one-line entries comments, deb-src and others are left out', () => {
  const text =
    '# deb http://old.test/debian bookworm main\ndeb [arch=amd64] http://mirror.test/debian bookworm-updates main  contrib # why\n' +
    'deb-src http://mirror.test/debian bookworm main\ndeb http://other.test/linux bookworm stable\n' +
    'deb http://other.test/cloud cloud-bookworm main\n';
  assert.equal(
    debianEntries(text, 'bookworm', 'trixie'),
    'deb [arch=amd64] http://mirror.test/debian bookworm-updates main  contrib # why\n' +
      'deb [arch=amd64] http://mirror.test/debian trixie-updates main  contrib # why\n',
  );
});

test('sources: nothing is doubled when the machine is of that suite already', () => {
  const text = 'deb http://mirror.test/debian trixie main\n';
  assert.equal(debianEntries(text, 'trixie', 'trixie'), text);
});

test('preferences: only the named packages come from the newer suite', () => {
  const text = formatPreferences('trixie', ['docker.io', 'docker-compose']);
  assert.match(text, /Package: \*\nPin: release n=trixie\*\nPin-Priority: 50/);
  assert.match(text, /Package: docker\.io docker-compose\nPin: release n=trixie\*\nPin-Priority: 990/);
});
