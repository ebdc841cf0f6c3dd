// Free ports, and waiting for somebody to listen on one.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePorts, waitForListener } from './ports.ts';

test('free ports differ, and can be had', async () => {
  const ports = await freePorts(8);
  assert.equal(new Set(ports).size, 8);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: ports[0] }, resolve));
  await waitForListener('somebody', ports[0] as number, new AbortController().signal);
  await new Promise((resolve) => server.close(resolve));
});

test('waiting for a listener ends with the signal', async () => {
  const [port] = await freePorts(1);
  const controller = new AbortController();
  const waiting = waitForListener('nobody', port as number, controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
});
