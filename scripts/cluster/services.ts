// shell · which servers the cluster has, as Compose would start it: the one place that says which policies there are.
import { attempt } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { ROOT } from '../kit/project.ts';

const ANSWER_TIMEOUT_MS = 20_000;

/** One service of servers: `server-p1` serves policy `1` with two replicas. */
export type ServerService = Readonly<{ name: string; policy: string; replicas: number }>;

type ComposeService = {
  environment?: Record<string, string | null>;
  scale?: number;
  deploy?: { replicas?: number };
};

/**
 * The services that serve a policy, by policy: those of docker-compose.yml and of every override file.
 * @param env what Compose gets on top of the environment
 * @throws Failure with Compose's last lines; with exit code 2 when there is no Compose
 */
export async function readServerServices(
  env: NodeJS.ProcessEnv = {},
  signal?: AbortSignal,
): Promise<ServerService[]> {
  const args = ['compose', 'config', '--format', 'json'];
  const options = {
    cwd: ROOT,
    env: { ...process.env, ...env },
    timeoutMs: ANSWER_TIMEOUT_MS,
    signal,
  };
  const { isOk, outcome, stdout, tail } = await attempt('docker', args, options);
  if (isOk) return serverServices(JSON.parse(stdout) as { services: Record<string, ComposeService> });
  throw new Failure(
    `Which servers the cluster has is not known: docker compose config: ${outcome}.`,
    'Docker Compose says it: "npm start" sets it up where it is missing.',
    { tail, exitCode: 2 },
  );
}

/** @param config what `docker compose config` prints */
export function serverServices({ services }: { services: Record<string, ComposeService> }): ServerService[] {
  return Object.entries(services)
    .flatMap(([name, { environment, scale, deploy }]) => {
      const policy = environment?.SERVER_POLICY;
      return policy ? [{ name, policy, replicas: scale ?? deploy?.replicas ?? 1 }] : [];
    })
    .sort((a, b) => a.policy.localeCompare(b.policy, 'en', { numeric: true }));
}
