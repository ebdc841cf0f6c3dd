// `npm run status`: the live policy table.
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { hideBin } from 'yargs/helpers';
import { commandLine, parseHostPort, UsageError } from '../services/shared/config.ts';
import { LOG_LEVELS } from '../services/shared/log.ts';
import { printable } from '../services/shared/printable.ts';
import { readToken } from '../services/shared/proof.ts';
import { publishedPorts } from './cluster/cluster.ts';
import { lookUpContainers, type PublishedProxy } from './cluster/containers.ts';
import { ACTS, type Act, explain, findServer, give, nameOf } from './cluster/operator.ts';
import { renderPolicyTable } from './cluster/policy-table.ts';
import { registerTokenFile } from './cluster/secrets.ts';
import { Failure } from './kit/failure.ts';
import { fetchPolicies } from './kit/policies.ts';
import { flag, isColoured, runScript } from './kit/script.ts';

const WATCH_INTERVAL_MS = 1_000;
// Home, and erase what is below: drawing over the old table does not flicker as clearing first would.
const HOME = '\u001b[H';
const ERASE_BELOW = '\u001b[J';
const ERASE_LINE_END = '\u001b[K';
// A line that is longer than the terminal is wide is cut off, not wrapped.
const WRAP_OFF = '\u001b[?7l';
const WRAP_ON = '\u001b[?7h';

type Look = {
  /** Base address of the one status listener that was asked for; null for that of each proxy. */
  adminUrl: string | null;
  isJson: boolean;
};
type Proxy = Pick<PublishedProxy, 'name' | 'adminUrl'>;

await runScript('npm run status --', '', async (signal) => {
  const options = await commandLine(hideBin(process.argv), 'npm run status')
    .usage('$0 [-- OPTIONS]\n\nPrints the policy table; › marks the server whose turn is next.')
    .command('$0', false)
    .command('explain [server]', 'what happened to a server, and what brings it back, in sentences')
    .command('drain [server]', 'it finishes what it has and gets nothing new, until it is resumed')
    .command('resume [server]', 'it gets requests again when its health allows it')
    .command('forget [server]', 'takes one that is out off the table; if it lives, it registers again')
    .command('probe [server]', 'probes it at once')
    .command('log-level <level>', 'how much the proxy logs until its next start', (command) =>
      command.positional('level', { choices: LOG_LEVELS }),
    )
    .options({
      json: flag('print what /api/policies answers, on one line'),
      watch: { ...flag('print it again every second, until Ctrl-C'), alias: 'w' },
      admin: {
        type: 'string',
        describe:
          "host:port of one proxy's status listener (those of all; 127.0.0.1:10081, PROXY_PUBLISH_ADMIN_PORT)",
      },
    })
    .options({
      policy: { type: 'string', describe: 'orders: all servers of this policy, in place of one' },
      reason: { type: 'string', describe: 'orders: what for; it is in the event' },
      by: { type: 'string', describe: "orders: who asks (this user's name)" },
      'register-token-file': {
        type: 'string',
        describe: 'orders: the file with the token (REGISTER_TOKEN_FILE, as npm start has set it)',
      },
    })
    .example('npm run status -- explain server-p1-1', 'by container name, id or address')
    .example('npm run status -- drain server-p1-1 --reason "new disk"', 'and later: resume server-p1-1')
    .epilogue(
      'Exit codes: 0 printed or done, 1 a proxy does not run, does not answer or refuses, 2 bad usage, 130 stopped by Ctrl-C (with --watch: 0).',
    )
    .parse();
  const given = options.admin?.replace(/^http:\/\/(.*?)\/?$/, '$1');
  if (given !== undefined) parseHostPort('--admin', given);
  const look: Look = { adminUrl: given === undefined ? null : `http://${given}`, isJson: options.json };
  const [command] = options._ as string[];
  if (command !== undefined) process.stdout.write(await operateEach(command, look, options, signal));
  else if (options.watch) await watch(look, signal);
  else show(look, await draw(look, signal));
});

type OrderOptions = {
  server?: unknown;
  level?: unknown;
  policy: string | undefined;
  by: string | undefined;
  reason: string | undefined;
  registerTokenFile: string | undefined;
};

// An order or a question is for every proxy: each has a table of its own.
async function operateEach(
  command: string,
  look: Look,
  options: OrderOptions,
  signal: AbortSignal,
): Promise<string> {
  const { proxies, down } = await lookUp(look, signal);
  const parts: string[] = [];
  for (const { adminUrl } of proxies) {
    const part = operate(command, adminUrl, options, signal);
    parts.push(await part.catch(insteadOf(proxies.length === 1, signal)));
  }
  return underNames(proxies, parts) + noteDown(down);
}

// What one of several proxies does not answer hides nothing of the others.
function insteadOf(isAll: boolean, signal: AbortSignal): (error: unknown) => string {
  return (error) => {
    if (isAll || signal.aborted || !(error instanceof Failure)) throw error;
    process.exitCode = error.exitCode;
    return `${error.message}\n${error.next}\n`;
  };
}

// Standard output is for the machine that reads JSON there.
function aside({ isJson }: Look, text: string): string {
  if (!isJson || text === '') return text;
  process.stderr.write(text);
  return '';
}

function noteDown(down: readonly string[]): string {
  if (down.length === 0) return '';
  process.exitCode = 1;
  return `\n${down.join('\n')}\n"npm start" starts what does not run.\n`;
}

async function lookUp({ adminUrl }: Look, signal: AbortSignal) {
  const known = await lookUpContainers(signal);
  if (adminUrl === null && known.proxies.length > 0) return known;
  const usual = `http://127.0.0.1:${publishedPorts('PROXY_PUBLISH_ADMIN_PORT').first}`;
  const proxies: readonly Proxy[] = [{ name: 'proxy', adminUrl: adminUrl ?? usual }];
  return { ...known, proxies, down: [] };
}

function underNames(proxies: readonly Proxy[], parts: readonly string[]): string {
  if (proxies.length === 1) return parts.join('');
  return proxies.map(({ name, adminUrl }, index) => `${name} (${adminUrl}/)\n${parts[index]}`).join('\n');
}

async function operate(
  command: string,
  adminUrl: string,
  options: OrderOptions,
  signal: AbortSignal,
): Promise<string> {
  const { server, policy, level, by = userInfo().username, reason = '' } = options;
  if (command === 'log-level') {
    const order = { act: command, level: String(level), by, reason } as const;
    return `${(await give(adminUrl, order, tokenFor(command, options))).join('\n')}\n`;
  }
  if (command === 'explain' && server === undefined) throw new UsageError('explain: name one server.');
  if ((server === undefined) === (policy === undefined))
    throw new UsageError(`${command}: name one server, or a policy with --policy.`);
  const { names } = await lookUpContainers(signal);
  const meant = async () => findServer(await fetchPolicies(adminUrl, signal), names, String(server));
  if (command === 'explain') return await explain(adminUrl, await meant(), names);
  const act = ACTS.find((each) => each === command) as Act;
  const token = tokenFor(act, options);
  const target = policy === undefined ? await meant() : { policy, id: undefined };
  const id = target.id === undefined ? {} : { id: String(target.id) };
  const done = (await give(adminUrl, { act, policy: target.policy, ...id, by, reason }, token)).map((line) =>
    line.replace(/server (\S+)(?= of policy)/, (_, known: string) => nameOf(known, names)),
  );
  return `${done.join('\n')}\n`;
}

function tokenFor(act: string, options: OrderOptions): Buffer {
  const file = options.registerTokenFile ?? registerTokenFile();
  if (file === '')
    throw new UsageError(`${act} needs the registration token: name its file with --register-token-file.`);
  return readToken('--register-token-file', file);
}

function show({ isJson }: Look, text: string): void {
  const isTable = process.stdout.isTTY === true && !isJson;
  process.stdout.write(isTable ? `${WRAP_OFF}${text}${WRAP_ON}` : text);
}

// A proxy that is being restarted is worth watching too.
async function draw(look: Look, signal: AbortSignal, isWatched = false): Promise<string> {
  const { proxies, names, down } = await lookUp(look, signal);
  const tables = proxies.map(async ({ adminUrl }) => {
    const snapshot = await fetchPolicies(adminUrl, signal);
    if (look.isJson) return `${printable(JSON.stringify(snapshot))}\n`;
    return renderPolicyTable(snapshot, isColoured(), names);
  });
  const instead = insteadOf(!isWatched && proxies.length === 1, signal);
  const parts = await Promise.all(tables.map((table) => table.catch((error) => aside(look, instead(error)))));
  const note = aside(look, noteDown(down));
  return look.isJson ? parts.join('') : underNames(proxies, parts) + note;
}

async function watch(look: Look, signal: AbortSignal): Promise<void> {
  const isScreen = process.stdout.isTTY === true && !look.isJson;
  if (isScreen) process.stdout.write('\u001b[2J');
  try {
    while (true) {
      const text = await draw(look, signal, true);
      const lines = isScreen ? `${HOME}${text.replaceAll('\n', `${ERASE_LINE_END}\n`)}${ERASE_BELOW}` : text;
      show(look, lines);
      await sleep(WATCH_INTERVAL_MS, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    // Ctrl-C is how a watch is meant to end.
    process.exitCode = 0;
  }
}
