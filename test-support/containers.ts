// shell · for tests with containers: what only they ask of a Compose project.
import type { DockerCluster, Replica } from '../scripts/cluster/docker.ts';
import { attempt } from '../scripts/kit/command.ts';

const ANSWER_WITHIN_MS = 20_000;

/** The names of a Compose project's networks. */
export async function networksOf(project: string): Promise<string[]> {
  const filter = `label=com.docker.compose.project=${project}`;
  const args = ['network', 'ls', '--filter', filter, '--format', '{{.Name}}'];
  const { isOk, stdout, outcome } = await attempt('docker', args, { timeoutMs: ANSWER_WITHIN_MS });
  if (!isOk) throw new Error(`The networks could not be listed: ${outcome}.`);
  return stdout.split('\n').filter(Boolean);
}

/** The exit code of a replica's last end; while it runs Docker says 0. */
export async function exitCodeOf(cluster: DockerCluster, replica: Replica): Promise<number> {
  return (await cluster.inspect(replica)).State.ExitCode;
}

/** Cuts a replica off from all its networks. */
export async function cutOff(cluster: DockerCluster, replica: Replica): Promise<void> {
  await cluster.detach(replica, await cluster.aliasesOf(replica));
}
