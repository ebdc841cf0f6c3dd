// What the cluster needs before it can start, in the order in which each needs the one before it.
import type { Step } from '../kit/steps.ts';
import { prepareAppImage } from './app-image.ts';
import { prepareEngine } from './engine.ts';
import { prepareNodeImage } from './node-image.ts';

export const ENGINE: Step = { title: 'Docker Engine and Compose', run: prepareEngine };

/** An engine, the image with Node, and the project's own image. Each step skips what is there. */
export const PREPARATION: readonly Step[] = [
  ENGINE,
  { title: 'Image with Node 24', run: prepareNodeImage },
  { title: 'Image of the cluster', run: prepareAppImage },
];
