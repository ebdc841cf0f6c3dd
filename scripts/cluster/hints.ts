// pure · what to try once the cluster runs; the README has the same list.
// Must never name a port or a cluster that is not the running one.

/** Which cluster runs, and where. */
export type Whereabouts = {
  project: string;
  port: number;
  /** Settings that only this run has: neither `docker compose` nor another command finds them in .env. */
  unsaved: Readonly<Record<string, string>>;
};

/** The commands with what each does, aligned. */
export function formatHints({ project, port, unsaved }: Whereabouts): string {
  const proxy = port === 10_000 ? '' : ` --proxy 127.0.0.1:${port}`;
  const server = `${project}-server-p1-1`;
  const hints = [
    [`npm run client -- client_packet_2.json${proxy}`, 'a packet of policy 2'],
    ['npm run status -- --watch', 'the table, live, in another terminal'],
    [`docker kill ${server}`, 'a crash: it leaves the table …'],
    [`docker start ${server}`, '… and comes back (nobody restarts what is killed by hand)'],
    [`docker pause ${server}`, 'frozen: it is evicted …'],
    [`docker unpause ${server}`, '… and comes back'],
    [`docker restart ${server}`, 'it leaves in good order, and comes back'],
    [`npm run load -- --rate 1000 --duration 20${proxy}`, 'a load test: do the above meanwhile'],
    ['docker compose up --detach --scale server-p1=4', 'two more servers for policy 1'],
    ['npm start', 'everything as it was, the number of servers too'],
    ['npm stop', 'takes the cluster down'],
  ] as const;
  const width = Math.max(...hints.map(([command]) => command.length));
  const lines = hints.map(([command, what]) => `  ${command.padEnd(width)}  # ${what}`);
  return [...adviceOn(unsaved), 'What to try next:', ...lines].join('\n');
}

function adviceOn(unsaved: Whereabouts['unsaved']): string[] {
  const lines = Object.entries(unsaved).map(([name, value]) => `  echo ${name}=${value} >> .env`);
  if (lines.length === 0) return [];
  return ['Other commands do not have the settings of this one yet. To give them to all:', ...lines, ''];
}
