// shell · Prometheus and Grafana beside the cluster: whether they are wanted, and whether their images can be had.
import { Failure } from '../kit/failure.ts';
import { readSetting } from '../kit/project.ts';
import { type Outcome, type Progress, SILENT } from '../kit/steps.ts';
import { localImageId } from './app-image.ts';
import { pull } from './node-image.ts';
import { readComposeConfig } from './services.ts';

/** The profile of docker-compose.yml. */
export const OBSERVABILITY = 'observability';
const SERVICES = ['prometheus', 'grafana'];

/** Whether the settings ask for the profile. */
export function isObserved(): boolean {
  const profiles = (readSetting('COMPOSE_PROFILES') ?? '').split(',').map((name) => name.trim());
  return profiles.includes(OBSERVABILITY) || profiles.includes('*');
}

/**
 * Makes sure that the images of the profile are on this machine.
 * @throws Failure that says what works without a registry when one of them can't be pulled
 */
export async function prepareObservability(progress: Progress = SILENT): Promise<Outcome> {
  const { services } = await readComposeConfig({}, progress.signal);
  const images = SERVICES.flatMap((name) => services[name]?.image ?? []);
  let isHere = true;
  for (const image of images) {
    if ((await localImageId(image, progress.signal)) !== null) continue;
    isHere = false;
    progress.phase(`pulling ${image}`);
    const problem = await pull(image, progress);
    if (problem === null) continue;
    throw new Failure(
      `The image ${image} could not be pulled.`,
      'Check the network, or set PROMETHEUS_IMAGE and GRAFANA_IMAGE in .env to images that are on this machine. The cluster ' +
        'runs without them (COMPOSE_PROFILES= npm start), and Debian\'s Prometheus can watch it: "Metrics and alerts" in docs/operating.md.',
      { tail: problem },
    );
  }
  const list = images.join(', ');
  return isHere ? { skipped: `${list} (already here)` } : list;
}
