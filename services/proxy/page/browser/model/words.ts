// Numbers, durations and names as the page writes them.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** The proxy tells its state once a second. */
const NEWS_WITHIN_MS = 1500;

/** A duration in one unit: `0.4 s`, `12 s`, `7 min`, `3 h`, `2 d`. */
export function duration(ms: number): string {
  const left = Math.max(0, ms);
  if (left < 9.95 * SECOND) return `${(left / SECOND).toFixed(1)} s`;
  if (left < MINUTE) return `${Math.floor(left / SECOND)} s`;
  if (left < HOUR) return `${Math.floor(left / MINUTE)} min`;
  if (left < 2 * DAY) return `${Math.floor(left / HOUR)} h`;
  return `${Math.floor(left / DAY)} d`;
}

/** A duration in two units where it is long: `3 h 12 min`. */
export function longDuration(ms: number): string {
  const minutes = Math.floor((ms % HOUR) / MINUTE);
  const hours = Math.floor((ms % DAY) / HOUR);
  if (ms >= 2 * DAY) return hours === 0 ? duration(ms) : `${duration(ms)} ${hours} h`;
  if (ms < HOUR || minutes === 0)
    return ms < MINUTE ? `${Math.floor(Math.max(0, ms) / SECOND)} s` : duration(ms);
  return `${duration(ms)} ${minutes} min`;
}

/** `15:42:59` of this browser's time zone; with thousandths `15:42:59.850`. */
export function clockTime(atMs: number, withMs = false): string {
  const at = new Date(atMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return withMs ? `${time}.${String(at.getMilliseconds()).padStart(3, '0')}` : time;
}

/** `1.2`, `31`, `8.9`: ms with one decimal below 100; a dash where nothing was measured. */
export function milliseconds(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–';
  return ms < 100 ? ms.toFixed(1) : whole(ms);
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Requests a second: `81.2` below 1,000, else whole; `0` when there is none. */
export function rate(perS: number): string {
  if (perS < 0.05) return '0';
  return perS < 1000 ? perS.toFixed(1) : whole(perS);
}

/** A share as per cent: `1.4`, `20`, `0`. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0 || value >= 9.95) return String(Math.round(value));
  return value < 0.05 ? '< 0.1' : value.toFixed(1);
}

/** `1 server`, `2 servers`. */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${whole(value)} ${value === 1 ? one : many}`;
}

/** `1st`, `2nd`, `3rd`, `11th`. */
export function ordinal(value: number): string {
  const isTeen = value % 100 > 10 && value % 100 < 14;
  const ending = isTeen ? 'th' : (['th', 'st', 'nd', 'rd'][value % 10] ?? 'th');
  return `${value}${ending}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What a server is called: its container's name, or its id. */
export function nameOf({ name, id }: { name?: string | null | undefined; id: string | number }): string {
  if (name !== null && name !== undefined && name !== '') return name;
  return /^\d+$/.test(String(id)) ? `server ${id}` : String(id);
}

/** The same at the beginning of a sentence: a name stays as it is, `server 3` becomes `Server 3`. */
export function nameFirst(server: { name?: string | null | undefined; id: string | number }): string {
  const name = nameOf(server);
  return name === `server ${server.id}` ? capital(name) : name;
}

/** The time left behind `lead`: `; next in 0.4 s`. Nothing shortly after its end, as news of it is under way; then `; next now`. */
export function timeLeft(lead: string, leftMs: number): string {
  if (leftMs > 0) return `${lead}${duration(leftMs)}`;
  return leftMs > -NEWS_WITHIN_MS ? '' : `${lead.replace(/ in $/, '')} now`;
}

/** A policy's title: `Policy 1`; one whose name is no number, `Policy "name"`. */
export function policyTitle(policy: string): string {
  return /^\d+$/.test(policy) ? `Policy ${policy}` : `Policy “${policy}”`;
}

/** What a failed probe came to, as the table's last column says it. */
export function outcomeWord(outcome: string): string {
  return outcome === 'somebody-else' ? 'another one' : outcome;
}
