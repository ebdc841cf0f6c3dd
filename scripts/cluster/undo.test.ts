import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CACHE } from '../kit/project.ts';
import { isOwnerAlive, openUndo, parseStart, readUndo, removeUndo, type Undo } from './undo.ts';

const FOLDER = join(CACHE, 'chaos');
const FOUND = { services: { proxy: 1 }, states: { 'proxy-1': 'running' }, settings: { A: '1' } };

let projects = 0;
function newProject(t: TestContext): string {
  projects += 1;
  const project = `undo-test-${process.pid}-${projects}`;
  t.after(() => removeUndo(project));
  return project;
}

function fault(kind: string): { kind: string; targets: string[] } {
  return { kind, targets: ['server-p1-1'] };
}

test('what is noted is in the file when the call returns', async (t) => {
  const project = newProject(t);
  const undo = openUndo(project, FOUND);
  assert.deepEqual(readUndo(project)?.faults, []);
  undo.note(fault('kill'), { 'server-p1-1': { net: ['a'] } });
  undo.note(fault('pause'), { 'server-p2-1': { net: ['b'] } });
  const read = readUndo(project) as Undo;
  assert.deepEqual(
    read.faults.map(({ kind }) => kind),
    ['kill', 'pause'],
  );
  assert.deepEqual(read.networks, { 'server-p1-1': { net: ['a'] }, 'server-p2-1': { net: ['b'] } });
  assert.deepEqual([read.found, read.pid], [FOUND, process.pid]);
  assert.ok(isOwnerAlive(read));
  undo.close();
  assert.equal(readUndo(project), null);
  const left = readdirSync(FOLDER).filter((name) => name.startsWith(project));
  assert.deepEqual(left, [], 'no temporary file is left');
});

test('a second run is refused while the first one lives, and until it is healed', async (t) => {
  const project = newProject(t);
  const undo = openUndo(project, null);
  assert.throws(() => openUndo(project, null), { name: 'Failure', message: /is under way \(pid \d+\)/ });
  const text = readFileSync(join(FOLDER, `${project}.undo.json`), 'utf8');
  writeFileSync(
    join(FOLDER, `${project}.undo.json`),
    text.replace(/"pidStartedAt": "\d+"/, '"pidStartedAt": "1"'),
  );
  assert.throws(() => openUndo(project, null), /has not been healed/);
  undo.close();
});

test('a file of another version is an error, not a silence', async (t) => {
  const project = newProject(t);
  openUndo(project, null);
  writeFileSync(join(FOLDER, `${project}.undo.json`), JSON.stringify({ version: 2, project }));
  assert.throws(() => readUndo(project), /can't be understood/);
});

test('an owner is dead when its process has ended, or its pid belongs to another one', async (t) => {
  const project = newProject(t);
  openUndo(project, null);
  const mine = readUndo(project) as Undo;
  const child = spawn(process.execPath, ['--eval', '']);
  await once(child, 'exit');
  assert.equal(isOwnerAlive({ ...mine, pid: child.pid as number }), false);
  assert.equal(isOwnerAlive({ ...mine, pidStartedAt: '1' }), false);
  assert.equal(isOwnerAlive({ ...mine, pidStartedAt: null }), true, 'without /proc the pid has to do');
  assert.equal(isOwnerAlive({ ...mine, pid: child.pid as number, pidStartedAt: null }), false);
});

const REST = Array.from({ length: 18 }, (_, index) => index).join(' ');
test('the start is field 22, whatever the program is called; a zombie has none', () => {
  assert.equal(parseStart(`12 (node) S ${REST} 4711 0`), '4711');
  assert.equal(parseStart(`12 (a ) (b) R ${REST} 4711 0`), '4711');
  assert.equal(parseStart(`12 (node) Z ${REST} 4711 0`), null);
  assert.equal(parseStart(''), null);
});
