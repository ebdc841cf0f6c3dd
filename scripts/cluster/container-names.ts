// shell · which container is which server: a server of the cluster registers with its container's short id.
// Must never keep the table waiting for a Docker that does not answer.
import { attempt } from '../kit/command.ts';
import { clusterName } from '../kit/project.ts';

const ANSWER_TIMEOUT_MS = 2_000;

/** Names of the cluster's containers by server id, without the cluster's own: `server-p1-1`. */
export type NamesById = ReadonlyMap<string, string>;

/** Remembers what it has found, and asks Docker only about servers that it has not been asked about before. */
export class ContainerNames {
  #names: NamesById = new Map();
  readonly #askedAbout = new Set<string>();

  /** The names that are known for these servers; without Docker there are none. */
  async of(serverIds: readonly string[], signal?: AbortSignal): Promise<NamesById> {
    if (serverIds.every((id) => this.#askedAbout.has(id))) return this.#names;
    for (const id of serverIds) this.#askedAbout.add(id);
    const project = clusterName();
    const filter = `label=com.docker.compose.project=${project}`;
    const args = ['ps', '--all', '--filter', filter, '--format', '{{.ID}} {{.Names}}'];
    const result = await attempt('docker', args, { timeoutMs: ANSWER_TIMEOUT_MS, signal });
    if (result.isOk) this.#names = parseNames(result.stdout, project);
    return this.#names;
  }
}

/** @param text lines of a container's short id and its name */
export function parseNames(text: string, project: string): NamesById {
  const prefix = `${project}-`;
  const pairs = text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' '))
    .map(([id = '', name = '']) => [id, name.startsWith(prefix) ? name.slice(prefix.length) : name] as const);
  return new Map(pairs);
}
