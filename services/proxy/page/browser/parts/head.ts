// The bar at the top, what it says when the proxy is silent, and the sentence above all.
import { useState } from 'preact/hooks';
import { html } from '../html.ts';
import { type Connection, model, updateNow } from '../model/store.ts';
import { retryNow } from '../model/stream.ts';
import { isCurrent, nextTheme, theme } from '../model/theme.ts';
import { clockTime, duration, longDuration } from '../model/words.ts';
import { sign } from './sign.ts';
import { Clockwork } from './ticking.ts';

export function Head() {
  const { hello, connection } = model;
  const isStale = connection.kind === 'stale';
  return html`
    <header class="top">
      <span class="brand"><img src="/page/logo.svg" width="22" height="22" alt="" />policy-proxy</span>
      <span class="about">
        ${hello !== null && html`<span class="mono">${hello.host}:${hello.wellKnownPort}</span>`}
        ${hello !== null && html`<span>version <b>${hello.version}</b></span>`}
        ${
          hello !== null &&
          html`<span>${
            isStale
              ? html`started <b>${clockTime(hello.startedMs)}</b>`
              : html`up <b><${Clockwork} of=${(nowMs: number) => longDuration(nowMs - hello.startedMs)} /></b>`
          }</span>`
        }
        ${hello !== null && hello.workers > 1 && html`<span><b>${hello.workers}</b> workers</span>`}
        <span>page <span class="mono">${location.host}</span></span>
      </span>
      <${Pill} connection=${connection} />
      <${Operator} />
      <button class="plain icon" type="button" aria-label=${`Colours: ${theme()}. Change`} onClick=${nextTheme}>
        ${sign(isCurrent('dark') ? 'sun' : 'moon', 16)}
      </button>
    </header>`;
}

function Pill({ connection }: { connection: Connection }) {
  switch (connection.kind) {
    case 'connecting':
      return html`<span class="pill">${sign('joining')}<b>Connecting</b></span>`;
    case 'live':
      return html`<span class="pill live">${sign('ready', 11)}<b>Live</b>
        <${Clockwork} class="beat" of=${(nowMs: number) => `beat ${duration(nowMs - connection.beatMs)} ago`} /></span>`;
    case 'stale':
      return html`<span class="pill stale">${sign('ring', 13)}<b>Stale</b>
        <span class="beat">for ${duration(Date.now() - connection.staleFromMs)}</span></span>`;
    default:
      return connection satisfies never;
  }
}

/** Above the page while the proxy says nothing. */
export function StaleBar() {
  const { connection } = model;
  if (connection.kind !== 'stale') return null;
  const { sinceMs, staleFromMs, retryMs, tries } = connection;
  const next = retryMs - Date.now();
  return html`
    <div class="stalebar">
      ${sign('warn', 15)}
      <p><span role="alert"><b>No word from the proxy since ${clockTime(sinceMs)}.</b></span>${' '}
        What you see is how it was then, ${duration(Date.now() - staleFromMs)} ago.
        ${next > 200 ? `Trying again in ${duration(next)}` : 'Trying now'}${tries > 1 ? `, try ${tries}` : ''}.</p>
      <button type="button" class="button" onClick=${retryNow}>Try now</button>
    </div>`;
}

function Operator() {
  const [isOpen, setOpen] = useState(false);
  const { token, isTokenProven, operator } = model;
  const standing =
    token === '' ? 'Looking only' : isTokenProven ? operator || 'May act' : 'Token not tried yet';
  return html`
    <span class="operator">
      <button class="plain" type="button" aria-label=${standing} aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
        ${sign(token === '' ? 'lock' : 'order', 15)}<span>${standing}</span>
      </button>
      ${
        isOpen &&
        html`<form class="popover" onSubmit=${(event: Event) => {
          event.preventDefault();
          setOpen(false);
        }} onKeyDown=${({ key }: KeyboardEvent) => key === 'Escape' && setOpen(false)}>
          <p>Draining, resuming, forgetting and probing need the register token. This tab keeps it until it is closed.</p>
          <label>Your name<input value=${operator} autocomplete="off" ref=${focusFirst}
            onInput=${(event: InputEvent) => updateNow({ operator: textOf(event) })} /></label>
          <label>Token<input type="password" value=${token} autocomplete="off"
            onInput=${(event: InputEvent) => updateNow({ token: textOf(event).trim(), isTokenProven: false })} /></label>
          <button class="button main" type="submit">Done</button>
        </form>`
      }
    </span>`;
}

/** As a `ref`: gives the field the focus when it appears. */
export function focusFirst(input: HTMLInputElement | null): void {
  if (input !== null && input.dataset.seen === undefined) {
    input.dataset.seen = 'yes';
    input.focus();
  }
}

export function textOf(event: Event): string {
  return (event.target as HTMLInputElement).value;
}
