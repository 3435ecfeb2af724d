// What surrounds every page: the navigation, the account, the theme and the keyboard.
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { useOpenReports } from "../pages/reports/open";
import { NotAllowed } from "../session/not-allowed";
import { signOut } from "../session/sign-out";
import { isAdmin, mayEnter, useViewer } from "../session/viewer";
import { Button, IconButton } from "../ui/button";
import { Icon } from "../ui/icon";
import { onKeyDown, useKeys } from "../ui/keys";
import { sentence } from "../ui/relative";
import { named, Segments } from "../ui/segments";
import { FindId } from "./find-id";
import { NAVIGATION } from "./sections";
import styles from "./shell.module.css";
import { setTheme, THEMES, useTheme } from "./theme";

const Help = lazy(() => import("./help"));

export function Shell() {
  const viewer = useViewer();
  const navigate = useNavigate();
  const [helping, setHelping] = useState(false);
  const [menuOpen, setMenuOpen] = useState(false);
  const path = useRouterState({ select: ({ location }) => location.pathname });
  const item = useRouterState({ select: ({ location }) => location.search.item });
  const sections = NAVIGATION.filter(({ operators }) => operators || isAdmin(viewer));
  const section = sections.find(({ to }) => (to === "/" ? path === "/" : path.startsWith(to)));

  useEffect(() => {
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
  useEffect(() => {
    document.title = section ? `${section.title} · Snaphaven admin` : "Snaphaven admin";
  }, [section]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new page closes the menu, and so do details on this one
  useEffect(() => setMenuOpen(false), [path, item]);
  useKeys(
    "Go to",
    sections.map(({ key, title, to }) => ({ keys: `g ${key}`, label: title, run: () => navigate({ to }) })),
  );
  useKeys("Everywhere", [{ keys: "?", label: "Keyboard help", run: () => setHelping(true) }]);

  if (!mayEnter(viewer)) return <NotAllowed viewer={viewer} />;
  return (
    <div className={styles.shell}>
      <a href="#main" className={styles.skip}>
        Skip to content
      </a>
      <header className={styles.side} data-open={menuOpen || undefined}>
        <div className={styles.brand}>
          <span>Snaphaven</span>
          <span className={styles.menu}>
            <IconButton label="Menu" aria-expanded={menuOpen} onClick={() => setMenuOpen(!menuOpen)}>
              <Icon name={menuOpen ? "close" : "menu"} />
            </IconButton>
          </span>
        </div>
        <div className={styles.find}>
          <FindId />
        </div>
        <nav aria-label="Panel" className={styles.nav}>
          <ul>
            {sections.map(({ to, title, icon }) => (
              <li key={to}>
                <Link to={to} activeOptions={{ exact: to === "/", includeSearch: false }} className={styles.link}>
                  <Icon name={icon} />
                  {title}
                  {to === "/reports" && <OpenReports />}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className={styles.foot}>
          <ThemeChoice />
          <Button look="quiet" className={styles.help} onClick={() => setHelping(true)}>
            Keyboard <kbd>?</kbd>
          </Button>
          <div className={styles.account}>
            <span className={styles.who}>
              {viewer.displayName}
              <small>{sentence(viewer.role ?? "")}</small>
            </span>
            <Button onClick={signOut}>Sign out</Button>
          </div>
        </div>
      </header>
      <main id="main" tabIndex={-1} className={styles.main}>
        <Outlet />
      </main>
      {helping && (
        <Suspense>
          <Help onClose={() => setHelping(false)} />
        </Suspense>
      )}
    </div>
  );
}

function OpenReports() {
  const open = useOpenReports();
  return (
    open && (
      <span className={styles.open}>
        {open}
        <span className="visually-hidden"> open</span>
      </span>
    )
  );
}

function ThemeChoice() {
  return <Segments label="Theme" value={useTheme()} options={named(THEMES)} onChange={setTheme} />;
}
