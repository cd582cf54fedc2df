// One dashboard on one page. window.__page says what was drawn, for shoot.mjs.
import React from 'react';
import { createRoot } from 'react-dom/client';
import { GlobalStyles, PanelChrome, ThemeContext } from '@grafana/ui';
import { fillRegistries, prepared, themeOf } from './core.js';
import { framesOf } from './frames.js';
import { PANELS } from './panels.jsx';

const WIDTH = 1600;
const COLUMN = WIDTH / 24;
const ROW = 38;
const GAP = 8;
const report = (window.__page = { ready: false, errors: [], panels: 0 });
window.addEventListener('error', ({ message }) => report.errors.push(message));
window.addEventListener('unhandledrejection', ({ reason }) => report.errors.push(String(reason?.stack ?? reason)));

class Guard extends React.Component {
  state = {};

  static getDerivedStateFromError(error) {
    return { error };
  }

  componentDidCatch(error) {
    report.errors.push(`${this.props.title}: ${error.stack}`);
  }

  render() {
    return this.state.error ? <pre>{String(this.state.error)}</pre> : this.props.children;
  }
}

function Panel({ panel, frames, ...drawing }) {
  const Drawing = PANELS[panel.type];
  const { x, y, w, h } = panel.gridPos;
  const place = { position: 'absolute', left: x * COLUMN + GAP / 2, top: y * ROW + GAP / 2 };
  const nothing = { display: 'grid', placeItems: 'center', height: '100%', fontSize: 18 };
  return (
    <div style={place}>
      <Guard title={panel.title}>
        <PanelChrome title={panel.title} description={panel.description} width={w * COLUMN - GAP} height={h * ROW - GAP}>
          {(width, height) => (frames.some((frame) => frame.length)
            ? <Drawing {...{ panel, frames, width, height, ...drawing }} />
            : <div style={{ ...nothing, color: drawing.theme.colors.text.secondary }}>{panel.fieldConfig.defaults.noValue}</div>)}
        </PanelChrome>
      </Guard>
    </div>);
}

/// Panels of all rows, each where it is when the rows above it are open.
function opened(panels) {
  let shift = 0;
  return panels.flatMap((panel) => {
    const moved = (one) => ({ ...one, gridPos: { ...one.gridPos, y: one.gridPos.y + shift } });
    const found = [moved(panel), ...(panel.panels ?? []).map(moved)];
    if (panel.panels?.length) {
      shift += Math.max(...panel.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) - panel.gridPos.y - 1;
    }
    return found;
  });
}

async function main() {
  fillRegistries();
  const { dashboard, theme: mode, begin, end, data, marks } = await (await fetch('data.json')).json();
  const theme = themeOf(mode);
  const panels = opened(dashboard.panels);
  const drawn = await Promise.all(panels.map(async (panel) => (panel.type === 'row' ? { panel }
    : { panel, frames: await prepared(panel, framesOf(data[panel.id]), theme) })));
  const bottom = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const text = { color: theme.colors.text.primary, fontFamily: theme.typography.fontFamily, fontSize: 14 };
  const drawing = { begin: begin * 1000, end: end * 1000, marks, theme };
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ position: 'relative', width: WIDTH, height: bottom * ROW, background: theme.colors.background.canvas, ...text }}>
        {drawn.map(({ panel, frames }) => (frames ? <Panel key={panel.id} {...{ panel, frames, ...drawing }} />
          : <div key={panel.id} style={{ position: 'absolute', left: 8, top: panel.gridPos.y * ROW + 10, fontSize: 16, fontWeight: 500 }}>
            ⌄ {panel.title}</div>))}
      </div>
    </ThemeContext.Provider>);
  report.panels = drawn.filter(({ frames }) => frames).length;
  setTimeout(() => (report.ready = true), 2000);
}

main().catch((error) => {
  report.errors.push(String(error.stack));
  report.ready = true;
});
