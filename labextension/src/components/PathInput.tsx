import * as React from 'react';

import { explain } from '../errors';
import { joinKeys, nameOf, parentKey, parsePath, typedPath } from '../paths';
import type { ITier } from '../records';
import type { Requests } from '../requests';
import type { IPanelContext } from './context';

/** Pause in typing after which the server is asked, in milliseconds. */
const TYPING_PAUSE = 120;
const MOST = 50;

/** The path as a text, completed from what is there. */
export function PathInput({ context }: { context: IPanelContext }): React.JSX.Element {
  const { model, trans } = context;
  const { browser } = model;
  const [text, setText] = React.useState(() => (browser.key ? `${browser.path}/` : browser.path));
  const [chosen, setChosen] = React.useState(-1);
  const [error, setError] = React.useState('');
  const input = React.useRef<HTMLInputElement>(null);
  const completions = useCompletions(text, browser.path, model.tiers, model.requests);
  const id = React.useId();

  React.useEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const give = (value: string) => {
    setText(value);
    setChosen(-1);
    setError('');
  };
  const close = () => {
    browser.typePath(false);
    browser.focus(browser.active, 'keep');
  };
  const go = async (typed: string) => {
    const path = typedPath(typed, browser.path, model.tiers);
    if (path === null) {
      const names = model.tiers.map(tier => `${tier.name}:`).join(', ');
      setError(trans.__('No tier has this. The tiers are %1', names));
      return;
    }
    try {
      const { tier, key } = parsePath(path);
      const entry = await model.requests.stat(path);
      if (entry.type === 'directory') {
        await browser.open(tier, key);
        browser.focus(0, 'keep');
      } else {
        await browser.reveal(path);
      }
    } catch (problem) {
      setError(explain(problem));
    }
  };
  const onKey = (event: React.KeyboardEvent) => {
    const count = completions.length;
    if (event.key === 'Escape') {
      close();
    } else if (event.key === 'Enter') {
      void go(completions[chosen] ?? text);
    } else if (event.key === 'ArrowDown' && count > 0) {
      setChosen((chosen + 1) % count);
    } else if (event.key === 'ArrowUp' && count > 0) {
      setChosen((chosen <= 0 ? count : chosen) - 1);
    } else if (event.key === 'Tab' && !event.shiftKey && count > 0) {
      give(completions[chosen] ?? (common(completions, text) || completions[0]));
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      className="jp-Storage-pathInput"
      onBlur={event => {
        // Not where the window itself lost the focus.
        if (!event.currentTarget.contains(event.relatedTarget) && document.hasFocus()) {
          browser.typePath(false);
        }
      }}
    >
      <input
        ref={input}
        type="text"
        role="combobox"
        value={text}
        spellCheck={false}
        autoComplete="off"
        aria-label={trans.__('Path')}
        aria-autocomplete="list"
        aria-expanded={completions.length > 0}
        aria-controls={`${id}-list`}
        aria-activedescendant={chosen >= 0 ? `${id}-${chosen}` : undefined}
        aria-invalid={error !== ''}
        title={trans.__('A path such as shared:runs, or an address on a tier. Tab completes')}
        onChange={event => give(event.target.value)}
        onKeyDown={onKey}
      />
      {error && (
        <p className="jp-Storage-problem" role="alert">
          {error}
        </p>
      )}
      <ul
        id={`${id}-list`}
        role="listbox"
        aria-label={trans.__('Paths that begin like this')}
        hidden={completions.length === 0}
      >
        {completions.map((path, i) => (
          <li
            key={path}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === chosen}
            title={path}
            ref={element => {
              if (i === chosen) {
                element?.scrollIntoView({ block: 'nearest' });
              }
            }}
            // Before the input loses the focus.
            onMouseDown={event => {
              event.preventDefault();
              if (path.endsWith('/') || path.endsWith(':')) {
                give(path);
              } else {
                void go(path);
              }
            }}
          >
            {nameOf(path) + (path.endsWith('/') ? '/' : '')}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** What is there that begins like the text. */
function useCompletions(
  text: string,
  here: string,
  tiers: readonly ITier[],
  requests: Requests
): string[] {
  const [found, setFound] = React.useState<string[]>([]);
  React.useEffect(() => {
    let gone = false;
    const timer = window.setTimeout(() => {
      complete(text, here, tiers, requests).then(
        paths => !gone && setFound(paths),
        // What cannot be listed completes nothing; Enter says why.
        () => !gone && setFound([])
      );
    }, TYPING_PAUSE);
    return () => {
      gone = true;
      window.clearTimeout(timer);
    };
  }, [text, here, tiers, requests]);
  return found;
}

async function complete(
  text: string,
  here: string,
  tiers: readonly ITier[],
  requests: Requests
): Promise<string[]> {
  const typed = text.trim();
  const names = tiers.map(tier => `${tier.name}:`).filter(name => name.startsWith(typed));
  const path = typedPath(typed, here, tiers);
  if (path === null || (names.length > 0 && !typed.includes(':'))) {
    return names;
  }
  const { tier, key } = parsePath(path);
  const inside = typed === '' || /[/:]$/.test(typed);
  const directory = inside ? key : parentKey(key);
  const start = inside ? '' : nameOf(path).toLocaleLowerCase();
  // Where it would be a pattern, all that is on the first page has to do.
  const match = /[*?[]/.test(start) ? '' : start;
  const page = await requests.list(`${tier}:${directory}`, { match, limit: 1000 });
  const entries = page.entries.filter(entry => entry.name.toLocaleLowerCase().startsWith(start));
  return entries
    .slice(0, MOST)
    .map(
      ({ name, type }) => `${tier}:${joinKeys(directory, name)}${type === 'directory' ? '/' : ''}`
    );
}

/** How all of them begin, if that is more than was typed. */
function common(paths: readonly string[], typed: string): string {
  let start = paths[0];
  for (const path of paths) {
    while (!path.startsWith(start)) {
      start = start.slice(0, -1);
    }
  }
  return start.length > typed.trim().length ? start : '';
}
