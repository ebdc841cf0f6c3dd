// Where programs are looked for, and which version a program's words mean.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  libraryFolders,
  moduleFolders,
  packageVersion,
  programFolders,
  versionIn,
} from './program-places.ts';

test('the machine itself has a path, an unpacked system has folders', () => {
  assert.deepEqual(programFolders('/', '/usr/bin::/opt/x'), ['/usr/bin', '/opt/x']);
  assert.equal(programFolders('/r', '/usr/bin')[0], '/r/usr/sbin');
  assert.deepEqual(libraryFolders('/r', 'arm64').slice(0, 2), ['/r/usr/lib/aarch64-linux-gnu', '/r/usr/lib']);
  assert.deepEqual(moduleFolders('/')[0], '/usr/lib/nginx/modules');
  assert.deepEqual(moduleFolders('/r')[0], '/r/usr/lib/nginx/modules');
});

const versions: [string, string][] = [
  ['HAProxy version 2.6.12-1+deb12u2 2025/04/25 - https://haproxy.org/\nStatus: stable', '2.6.12-1+deb12u2'],
  ['nginx version: nginx/1.22.1', '1.22.1'],
  ['Python 3.11.2', '3.11.2'],
  ['gcc (Debian 12.2.0-14+deb12u1) 12.2.0', '12.2.0-14+deb12u1'],
  ['no idea', 'unknown'],
];
for (const [text, version] of versions) {
  test(`version: ${version}`, () => assert.equal(versionIn(text), version));
}

test('the version of a package by its file', () => {
  const files = ['nginx_1.22.1-9_amd64.deb', 'libnginx-mod-stream-js_1%3a0.7.9-1_amd64.deb'];
  assert.equal(packageVersion(files, 'libnginx-mod-stream-js'), '1:0.7.9-1');
  assert.equal(packageVersion(files, 'nginx'), '1.22.1-9');
  assert.equal(packageVersion([], 'nginx'), 'unknown');
});
