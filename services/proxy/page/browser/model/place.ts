// What the page shows of all there is, kept in its address: a link shows another one the same.

export type Place = {
  /** Which rows are listed; null for what suits the size of the cluster and of the window. */
  show: 'all' | 'not-ready' | null;
  find: string;
  /** The server in the drawer, as `policy/id`; a policy as `policy/`. */
  open: string;
  events: 'all' | 'out' | 'back' | 'faults' | 'orders';
  policy: string;
};

const EVENTS = ['all', 'out', 'back', 'faults', 'orders'] as const;

export function readPlace(search: string): Place {
  const given = new URLSearchParams(search);
  const show = given.get('show');
  return {
    show: show === 'all' || show === 'not-ready' ? show : null,
    find: given.get('find') ?? '',
    open: given.get('open') ?? '',
    events: EVENTS.find((each) => each === given.get('events')) ?? 'all',
    policy: given.get('policy') ?? '',
  };
}

/** The address's search part; '' where nothing differs from the first look. */
export function writePlace({ show, find, open, events, policy }: Place): string {
  const search = new URLSearchParams();
  if (show !== null) search.set('show', show);
  if (find !== '') search.set('find', find);
  if (open !== '') search.set('open', open);
  if (events !== 'all') search.set('events', events);
  if (policy !== '') search.set('policy', policy);
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}
