import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinNpmrc } from './secrets.ts';

// As npm writes a variable into its files; put together so that it can't be taken for a forgotten template string.
const variable = (name: string): string => `$\{${name}}`;

test('npmrc: registries and credentials are kept, paths of the machine and comments are not', () => {
  const text = joinNpmrc(
    [
      'cafile=/somewhere/ca.crt\nfund=false\n; a comment\n# another\n',
      `@scope:registry = http://scope.test/\n//scope.test/:_authToken=${variable('TOKEN')}\nprefix=/home/me\nnodedir=/usr\n`,
    ],
    {},
    { TOKEN: 'secret' },
  );
  assert.equal(text, 'fund=false\n@scope:registry = http://scope.test/\n//scope.test/:_authToken=secret\n');
});

test('npmrc: what npm really uses comes last and so wins; unset values are left out', () => {
  const text = joinNpmrc(
    ['registry=http://old.test/'],
    { registry: 'http://new.test/', proxy: 'null', noproxy: '' },
    {},
  );
  assert.equal(text, 'registry=http://old.test/\nregistry=http://new.test/\n');
});

test('npmrc: a variable that is not set stays as npm would leave it', () => {
  const line = `//a.test/:_authToken=${variable('NO_SUCH')}`;
  assert.equal(joinNpmrc([line], {}, {}), `${line}\n`);
});

test('npmrc: nothing gives an empty file', () => assert.equal(joinNpmrc(['', '\n'], {}, {}), ''));
