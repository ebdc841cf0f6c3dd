// test · which requests are traced, and that each span ends once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Span } from '../../shared/tracing.ts';
import { type ReplySink, Request } from '../routing/request.ts';
import type { Upstream } from '../servers/upstream.ts';
import { RequestTracing } from './request-tracing.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const server = (id: number): Upstream => ({ id, host: '10.0.0.1', port: id, keepsAlive: true }) as Upstream;

class Scene {
  readonly ended: string[] = [];
  begun = 0;
  draw = 1;
  readonly requests = new RequestTracing(
    { share: 0.5, requestTimeoutMs: 2000 },
    { begin: (name) => this.#begin(name) },
    () => 1,
    () => this.draw,
  );

  #begin(name: string): Span {
    this.begun += 1;
    const number = this.begun;
    return {
      context: { traceId: TRACE, spanId: String(number).padStart(16, '0'), isSampled: true },
      end: (status, error) => this.ended.push(`${number} ${name} ${status} ${error}`),
    };
  }

  request(fields = ''): Request {
    return new Request({} as ReplySink, 1, '1', `{"type":0${fields}}\n`, null, 2000);
  }

  attempt(request: Request, upstream: Upstream): void {
    this.requests.onAttempt(request, upstream, 1);
    request.upstream = upstream;
  }
}

test('a request that is not traced stays so, and its bytes as they came', () => {
  const scene = new Scene();
  const request = scene.request();
  scene.attempt(request, server(1));
  scene.draw = 0;
  scene.attempt(request, server(2));
  scene.requests.onRefused(request, 'UPSTREAM_FAILED', 'b-1');
  assert.deepEqual([scene.begun, request.wire], [0, '{"type":0}\n']);
});

test('every span ends once: the answer, the failure, the silent one, a second try on the same server', () => {
  const scene = new Scene();
  scene.draw = 0;
  const request = scene.request();
  const [one, two, three] = [server(1), server(2), server(3)];
  for (const each of [one, two, three, three]) scene.attempt(request, each);
  scene.requests.onAttemptFailed(request, one, 'reset');
  scene.requests.onAnswered(request, three);
  scene.requests.onAnswered(request, three);
  assert.deepEqual(scene.ended, [
    '2 attempt null reset',
    '3 attempt null unanswered',
    '4 attempt null unanswered',
    '5 attempt OK null',
    '1 request OK null',
  ]);
});

test('a request whose client has gone', () => {
  const scene = new Scene();
  scene.draw = 0;
  const request = scene.request();
  scene.attempt(request, server(1));
  scene.requests.onAbandoned(request);
  assert.deepEqual(scene.ended, ['2 attempt null unanswered', '1 request null abandoned']);
});

test('a packet that has no room for the field goes on as it came', () => {
  const scene = new Scene();
  scene.draw = 0;
  const request = scene.request(`,"x":"${'x'.repeat(8120)}"`);
  const { wire } = request;
  scene.attempt(request, server(1));
  assert.deepEqual([scene.begun, request.wire === wire], [2, true]);
});

test('clients that ask for a trace of everything get 200 a second', () => {
  const scene = new Scene();
  const ask = (): void =>
    scene.requests.onRefused(
      scene.request(`,"traceparent":"00-${TRACE}-00f067aa0ba902b7-01"`),
      'NO_SERVER',
      'b',
    );
  for (let sent = 0; sent < 1000; sent += 1) ask();
  assert.equal(scene.begun, 200);
  scene.requests.nextSecond();
  ask();
  assert.equal(scene.begun, 201);
});
