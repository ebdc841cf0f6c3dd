// shell · what Compose would start: the one place that says which servers and policies the cluster has.
import { attempt } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { ROOT } from '../kit/project.ts';
import { compareNames } from '../kit/words.ts';

const ANSWER_TIMEOUT_MS = 20_000;

/** For `docker compose config`: it reads the stack file of Swarm in place of docker-compose.yml. */
export const STACK = { COMPOSE_FILE: 'docker-stack.yml' };

/** One service of servers: `server-p1` serves policy `1` with two replicas. */
export type ServerService = Readonly<{ name: string; policy: string; replicas: number }>;

type ComposeService = {
  image?: string;
  environment?: Record<string, string | null>;
  scale?: number;
  deploy?: { replicas?: number };
};

/** What `docker compose config` prints. */
export type ComposeConfig = {
  services: Record<string, ComposeService>;
  secrets?: Record<string, { file?: string }>;
};

/**
 * Reads docker-compose.yml and every override file as Compose does.
 * @param env what Compose gets on top of the environment
 * @throws Failure with Compose's last lines and exit code 2
 */
export async function readComposeConfig(
  env: NodeJS.ProcessEnv = {},
  signal?: AbortSignal,
): Promise<ComposeConfig> {
  const args = ['compose', 'config', '--format', 'json'];
  const options = { cwd: ROOT, env: { ...process.env, ...env }, timeoutMs: ANSWER_TIMEOUT_MS, signal };
  const { isOk, outcome, stdout, tail } = await attempt('docker', args, options);
  if (isOk) return JSON.parse(stdout) as ComposeConfig;
  throw new Failure(
    `Compose can't say which servers the cluster has: docker compose config: ${outcome}.`,
    'Correct .env or the file that is named above; "npm start" sets Docker Compose up where it is missing.',
    { tail, exitCode: 2 },
  );
}

/** The services that serve a policy, by policy. Parameters and failures as for `readComposeConfig`. */
export async function readServerServices(
  env: NodeJS.ProcessEnv = {},
  signal?: AbortSignal,
): Promise<ServerService[]> {
  return serverServices(await readComposeConfig(env, signal));
}

export function serverServices({ services }: Pick<ComposeConfig, 'services'>): ServerService[] {
  return Object.entries(services)
    .flatMap(([name, { environment, scale, deploy }]) => {
      const policy = environment?.SERVER_POLICY;
      return policy ? [{ name, policy, replicas: scale ?? deploy?.replicas ?? 1 }] : [];
    })
    .sort((a, b) => compareNames(a.policy, b.policy));
}

/** How many servers of each policy the whole cluster has. */
export function serversByPolicy(
  services: readonly Pick<ServerService, 'policy' | 'replicas'>[],
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { policy, replicas } of services) counts[policy] = (counts[policy] ?? 0) + replicas;
  return counts;
}

/** The options with which the client reaches this cluster's proxy over TLS; none for a plain one. */
export function clientTlsOptions({ services, secrets }: ComposeConfig): string[] {
  if (!services.proxy?.environment?.PROXY_TLS_CERT) return [];
  const ca = secrets?.['tls-ca']?.file;
  return ['--tls', ...(ca === undefined ? [] : ['--tls-ca', ca])];
}
