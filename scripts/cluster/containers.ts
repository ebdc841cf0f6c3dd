// shell · the containers of a Compose project, as Docker lists them, stopped ones too.
import { attempt } from '../kit/command.ts';
import { clusterName } from '../kit/project.ts';

const ANSWER_TIMEOUT_MS = 20_000;
const NAMES_TIMEOUT_MS = 2_000;
const LABEL = 'com.docker.compose';
const FORMAT = `{{.ID}} {{.Names}} {{.State}} {{.Label "${LABEL}.service"}} {{.Label "${LABEL}.config-hash"}} {{.Status}}`;

export type Container = Readonly<{
  /** The short id: what a server registers as. */
  id: string;
  name: string;
  /** Docker's word: `running`, `paused`, `exited`. */
  state: string;
  service: string;
  /** Of the settings that it was made with, as `docker compose config --hash` prints it. */
  configHash: string;
  isUnhealthy: boolean;
}>;

/** @returns nothing where Docker does not answer */
export async function listContainers(
  project: string,
  signal?: AbortSignal,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<Container[]> {
  // Those of `docker compose run` are oneoff.
  const labels = [`${LABEL}.project=${project}`, `${LABEL}.oneoff=False`];
  const filters = labels.flatMap((label) => ['--filter', `label=${label}`]);
  const args = ['ps', '--all', ...filters, '--format', FORMAT];
  const { isOk, stdout } = await attempt('docker', args, { timeoutMs, signal });
  return isOk ? parseContainers(stdout) : [];
}

/** @param text lines of FORMAT */
export function parseContainers(text: string): Container[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [id = '', name = '', state = '', service = '', configHash = '', ...status] = line.split(' ');
      return { id, name, state, service, configHash, isUnhealthy: status.includes('(unhealthy)') };
    });
}

/** Whether a container was started and has not ended. */
export function isUp({ state }: Container): boolean {
  return ['running', 'paused', 'restarting'].includes(state);
}

/** Names by server id, without the cluster's own: `server-p1-1`. Without Docker there are none. */
export async function containerNames(signal?: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const project = clusterName();
  const containers = await listContainers(project, signal, NAMES_TIMEOUT_MS);
  return new Map(containers.map(({ id, name }) => [id, name.replace(`${project}-`, '')]));
}
