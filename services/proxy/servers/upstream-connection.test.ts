import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DialledConnection, Network } from '../network/network.ts';
import { Request } from '../routing/request.ts';
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts';

const client = { isClosed: false, lines: [], expect: () => {}, deliver: () => {}, flush: () => {} };
const requestOf = (): Request => new Request(client, 1, '1', '{}\n', null, 0);

/** A kept connection that stands. */
function connect(): UpstreamConnection {
  const socket = { on: () => socket, write: () => true, setKeepAlive: () => {} };
  let onConnected = (): void => {};
  const network: Pick<Network, 'connect'> = {
    connect: (_host, _port, whenConnected) => {
      onConnected = whenConnected;
      return socket as unknown as DialledConnection;
    },
  };
  const server = { host: '10.0.0.1', port: 9000, keepsAlive: true };
  const connection = new UpstreamConnection(network as Network, server, true, 0, {} as ConnectionOwner);
  onConnected();
  return connection;
}

test('a server is not silent about what has not been written, however long this process has stood still', () => {
  const connection = connect();
  connection.push(requestOf());
  assert.equal(connection.silentMs(1000), 0);
  assert.equal(connection.silentMs(5000), 0);
  connection.flush();
  assert.equal(connection.silentMs(5020), 20);
});

test('what is still to be written behind a request is no excuse for the silence about that one', () => {
  const connection = connect();
  connection.push(requestOf());
  connection.flush();
  assert.equal(connection.silentMs(1000), 0);
  connection.push(requestOf());
  assert.equal(connection.silentMs(1700), 700);
});
