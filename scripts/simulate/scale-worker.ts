// shell · measures one number of servers in a thread of its own, with a heap that no other one has filled.
// Must never tell what it has measured before its code was warm.
import { parentPort, workerData } from 'node:worker_threads';
import { ScaleWorld } from './scale-world.ts';

const WARM_UP_SIZE = 100;
const WARM_UP_REQUESTS = 100_000;

const { size, requests } = workerData as { size: number; requests: number };
await new ScaleWorld(WARM_UP_SIZE).measure(Math.min(requests, WARM_UP_REQUESTS));
parentPort?.postMessage(await new ScaleWorld(size).measure(requests));
