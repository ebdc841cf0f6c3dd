import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { CACHE, ROOT } from '../kit/project.ts';
import { joinNpmrc, readRegisterToken } from './secrets.ts';

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

test('the token file of a setting counts from the repository, wherever npm was called', async (t) => {
  const { INIT_CWD, REGISTER_TOKEN_FILE } = process.env;
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, 'token-'));
  t.after(async () => {
    Object.assign(process.env, { INIT_CWD, REGISTER_TOKEN_FILE });
    if (INIT_CWD === undefined) delete process.env.INIT_CWD;
    if (REGISTER_TOKEN_FILE === undefined) delete process.env.REGISTER_TOKEN_FILE;
    await rm(folder, { recursive: true });
  });
  await writeFile(join(folder, 'token'), '0123456789abcdef\n');
  process.env.INIT_CWD = folder;
  process.env.REGISTER_TOKEN_FILE = `./${relative(ROOT, join(folder, 'token'))}`;
  assert.equal(readRegisterToken()?.toString(), '0123456789abcdef');
});
