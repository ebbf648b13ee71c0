"""Settings: which source counts, and what is said of one that is wrong."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from kagimori.deployment.folder import Unusable
from kagimori.deployment.settings_checks import check_settings
from kagimori.deployment.settings_lines import line_of
from kagimori.deployment.settings_sources import load_settings, value_of, wanted
from kagimori.settings import Settings, all_settings, encode_settings

PAGE = Path(__file__).parents[3] / "docs/look-up/settings.md"
ALL = {setting.name: setting for setting in all_settings()}


def loaded(tmp_path, text="", environment=None, **sources):
    file = tmp_path / "kagimori.toml"
    file.write_text(text)
    return load_settings(config=None, data=tmp_path, environment=environment or {}, **sources)


def refused(tmp_path, text="", **sources):
    with pytest.raises(Unusable) as why:
        loaded(tmp_path, text, **sources)
    assert "\n" not in str(why.value)
    return str(why.value).replace(str(tmp_path), "DIR")


# --- which counts ---------------------------------------------------------------------------------


def test_flags_come_before_the_environment_before_the_file_before_the_default(tmp_path):
    environment = {"KAGIMORI_SERVE_WORKERS": "3", "KAGIMORI_FRONT_HEADERS": "30"}
    found = loaded(
        tmp_path,
        "[serve]\nworkers = 2\n\n[front]\nheaders = 20\npipelined = 10\n",
        environment,
        flags={"serve.workers": 4, "front.connections": None},
    )
    front = found.settings.front
    assert (found.settings.serve.workers, front.headers, front.pipelined) == (4, 30, 10)
    assert front.connections == 4096
    assert found.origins["serve.workers"] == "flag --workers"
    assert found.origins["front.headers"] == "environment KAGIMORI_FRONT_HEADERS"
    assert found.origins["front.pipelined"] == f"{tmp_path / 'kagimori.toml'}:6"
    assert found.origins["front.connections"] == "default"


def test_any_setting_can_be_set_by_name(tmp_path):
    found = loaded(tmp_path, texts=("audit.retain_days=1.5", "web_identity.fetch=true"))
    assert found.settings.audit.retain_days == 1.5
    assert found.settings.web_identity.fetch is True
    assert found.origins["audit.retain_days"] == "flag --set audit.retain_days"


def test_a_file_that_is_named_counts_instead_of_that_in_the_folder(tmp_path):
    (tmp_path / "kagimori.toml").write_text("[serve]\nworkers = 2\n")
    other = tmp_path / "other.toml"
    other.write_text("[serve]\nworkers = 3\n")
    for config, environment in ((other, {}), (None, {"KAGIMORI_CONFIG": str(other)})):
        found = load_settings(config=config, data=tmp_path, environment=environment)
        assert found.settings.serve.workers == 3
    with pytest.raises(Unusable, match="No such file"):
        load_settings(config=tmp_path / "none.toml", environment={})


def test_paths_are_relative_to_the_file_they_stand_in(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = loaded(
        tmp_path,
        '[audit]\ndeliver = "logs"\ncheckpoints = "s3://bucket/x"\n'
        '[web_identity.keys]\n"https://example.org" = "keys.json"\n',
        flags={"attestation.roots": ["root.pem"], "audit.webhook_secret": "/run/secret"},
    ).settings
    assert found.audit.deliver == str(tmp_path / "logs")
    assert found.audit.checkpoints == "s3://bucket/x"
    assert found.web_identity.keys == {"https://example.org": str(tmp_path / "keys.json")}
    assert found.attestation.roots == (str(elsewhere / "root.pem"),)
    assert found.audit.webhook_secret == "/run/secret"


@pytest.mark.parametrize("name", ALL)
def test_every_setting_can_come_from_its_variable(tmp_path, name):
    setting = ALL[name]
    text = {bool: "true", int: "63", float: "64.5"}.get(
        next((kind for kind in (bool, int, float) if kind.__name__ in str(setting.kind)), None), "a"
    )
    text = "false" if setting.default is True else text
    text = "https://a=b" if "dict" in str(setting.kind) else text
    least, most = setting.about.least, setting.about.most
    text = str(int(least) + 1) if least and least > 64 else text
    text = str(int(most) - 1) if most and most < 64 else text
    found = loaded(tmp_path, environment={setting.variables[0]: text})
    assert found.origins[name] == f"environment {setting.variables[0]}"
    assert value_of(found.settings, setting) not in (None, setting.default)


def test_the_file_that_the_page_shows_is_a_file_of_settings(tmp_path):
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert loaded(tmp_path, shown).settings != Settings()


# --- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[serve]\nworker = 1\n", "DIR/kagimori.toml:2: there is no setting serve.worker; did you"),
        ("\n[serv]\nworkers = 1\n", "DIR/kagimori.toml:2: there is no setting [serv]; did you mean serve"),
        ("[front]\ndigest_minutes = 1\n", "did you mean audit.digest_minutes?"),
        ("workers = 1\n", ":1: there is no setting workers; did you mean serve.workers?"),
        ("serve = 1\n", ":1: serve is a table: [serve]"),
        ("[serve]\n\nworkers = 65\n", ":3: serve.workers must be a whole number from 1 to 64"),
        ("[serve]\nworkers = 1.5\n", ":2: serve.workers must be a whole number"),
        ("[serve]\nworkers = true\n", ":2: serve.workers must be"),
        ('[serve]\nworkers = "2"\n', ":2: serve.workers must be"),
        ("[audit]\nretain_days = nan\n", ":2: audit.retain_days must be a number of days, 0 or more"),
        ("[audit]\nretain_days = inf\n", ":2: audit.retain_days must be"),
        ("[audit]\nretain_days = -0.1\n", ":2: audit.retain_days must be"),
        ('[attestation]\nroots = [\n  "a",\n  1,\n]\n', ":2: attestation.roots must be a list of paths"),
        ('[tls]\nkey = ""\n', ":2: tls.key must not be empty"),
        ('[tls]\nkey = "a\\u0000b"\n', ":2: tls.key must not be empty"),
        ("[web_identity]\nkeys = []\n", ":2: web_identity.keys must be a table"),
        ("[serve\n", "is not TOML: "),
        ("[serve]\nworkers = 1\nworkers = 2\n", "is not TOML: "),
        ("a=" + "[" * 5000, "is not TOML: "),
        ("#" * 65_537, "more than 64 KiB"),
    ],
)  # fmt: skip
def test_a_file_is_refused_with_the_line(tmp_path, text, why):
    assert why in refused(tmp_path, text)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "kagimori.toml").write_bytes(b"\xff")
    with pytest.raises(Unusable, match="not UTF-8"):
        load_settings(config=None, data=tmp_path, environment={})
    (tmp_path / "kagimori.toml").unlink()
    (tmp_path / "kagimori.toml").mkdir()
    with pytest.raises(Unusable, match="cannot be read"):
        load_settings(config=None, data=tmp_path, environment={})


@pytest.mark.parametrize(
    ("variable", "text", "why"),
    [
        ("KAGIMORI_SERVE_WORKERS", "two", "environment KAGIMORI_SERVE_WORKERS: serve.workers must"),
        ("KAGIMORI_SERVE_WORKERS", "", "must be a whole number from 1 to 64"),
        ("KAGIMORI_AUDIT_DIGEST_MINUTES", "nan", "must be a number of minutes, 0 or more"),
        ("KAGIMORI_WEB_IDENTITY_FETCH", "maybe", "must be true or false"),
        ("KAGIMORI_WEB_IDENTITY_KEYS", "keys.json", "takes ISSUER=FILE"),
        ("KAGIMORI_SERVE_WORKER", "2", "did you mean KAGIMORI_SERVE_WORKERS?"),
        ("KAGIMORI_CONFIG", "/nowhere", "/nowhere cannot be read"),
    ],
)
def test_the_environment_is_refused_by_name(tmp_path, variable, text, why):
    assert why in refused(tmp_path, environment={variable: text})


def test_variables_of_others_that_begin_like_ours_are_left_alone(tmp_path):
    found = loaded(
        tmp_path, environment={"KAGIMORI_SERVICE_HOST": "10.0.0.1", "KAGIMORI_PORT": "1"}
    )
    assert set(found.unknown_variables) == {"KAGIMORI_SERVICE_HOST", "KAGIMORI_PORT"}
    assert found.settings == Settings()


@pytest.mark.parametrize("text", ["serve.workers", "=", "serve=1", "serve.wrkers=1"])
def test_set_is_refused_where_it_names_nothing(tmp_path, text):
    assert "--set" in refused(tmp_path, texts=(text,))


def test_no_refusal_repeats_a_value(tmp_path):
    secret = "whsec_bm90IGZvciBhbnlib2R5J3MgZXllcw"
    for setting in ALL.values():
        for value in (f'"{secret}"', f'["{secret}", 1]'):
            text = f"[{setting.section}]\n{setting.member} = {value}\n"
            try:
                loaded(tmp_path, text)
            except Unusable as why:
                assert secret not in str(why)


# --- lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[a]\nb = 1\n", 2),
        ("# b = 1\n[a] # b\nb = 1\n", 3),
        ("a.b = 1", 1),
        ("a = {b = 1}\n", 1),
        ("[x]\nb = 1\n[a]\n\nb = 1\n", 5),
        ('[x]\nt = """\n[a]\nb = 1\n"""\n[a]\nb = [\n1,\n]\n', 7),
        ('["a"]\n"b" = 1\n', 2),
        ("[a]\r\nb = 1\r\n", 2),
    ],
)
def test_the_line_of_a_setting(text, line):
    assert tomllib.loads(text)["a"]["b"]
    assert line_of(text, ("a", "b")) == line


# --- the tree -------------------------------------------------------------------------------------


def test_the_tree_goes_whole_to_another_process():
    tree = msgspec.convert({"audit": {"retain_days": 3}, "front": {"headers": 7}}, Settings)
    assert msgspec.json.decode(encode_settings(tree), type=Settings) == tree


@pytest.mark.parametrize("name", ALL)
def test_a_definition_is_whole(name):
    setting = ALL[name]
    assert setting.about.meaning.endswith("."), "a sentence"
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", setting.member)
    assert wanted(setting)
    least, most = setting.about.least, setting.about.most
    if isinstance(setting.default, int | float) and not isinstance(setting.default, bool):
        assert least is not None, "every number has a bound"
        assert least <= setting.default <= (setting.default if most is None else most)


def test_flags_and_variables_are_one_settings_alone():
    flags = [setting.about.flag for setting in ALL.values() if setting.about.flag]
    variables = [variable for setting in ALL.values() for variable in setting.variables]
    assert len(set(flags)) == len(flags)
    assert len(set(variables)) == len(variables)


# --- one to another -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"tls": {"key": "/k"}}, "--tls-certificate and --tls-key go together"),
        ({"audit": {"retain_days": 1}}, "--retain-days needs --deliver"),
        ({"audit": {"retain_days": 1, "deliver": "/x", "digest_minutes": 0}}, "needs --deliver"),
        ({"audit": {"checkpoint_lock_days": 1, "checkpoints": "/x"}}, "needs --checkpoint s3://"),
        ({"audit": {"notify_url": "https://example.org/"}}, "needs --webhook-secret"),
        ({"audit": {"notify_command": "'"}}, "--notify-command"),
        ({"audit": {"deliver": "s3://bucket"}}, "AWS_SECRET_ACCESS_KEY"),
        ({"audit": {"deliver": "https://example.org"}}, "s3://BUCKET/PREFIX"),
    ],
)
def test_what_contradicts_is_refused(settings, why):
    with pytest.raises(Unusable, match=re.escape(why)):
        check_settings(msgspec.convert(settings, Settings), {})
    check_settings(Settings(), {})


# --- sections with names --------------------------------------------------------------------------

TOKEN = '[tokens.vault-1]\nmodule = "lib.so"\nlabel = "one"\npin_file = "pin"\n'


def test_tokens_stand_under_names_of_their_own(tmp_path):
    text = f'{TOKEN}paths = ["tokens"]\n[tokens.vault-1.environment]\nCONF = "x"\n[tokens.b]\nlabel = "two"\n'
    found = loaded(tmp_path, text, texts=("tokens.b.network=true", "tokens.c.serial=01"))
    one, two, three = (found.settings.tokens[name] for name in ("vault-1", "b", "c"))
    assert (one.module, one.label) == (str(tmp_path / "lib.so"), "one")
    assert one.paths == (str(tmp_path / "tokens"),)
    assert one.environment == {"CONF": "x"}
    assert (two.label, two.network, three.serial) == ("two", True, "01")
    assert found.origins["tokens.vault-1.label"] == f"{tmp_path / 'kagimori.toml'}:3"
    assert found.origins["tokens.b.network"] == "flag --set tokens.b.network"
    assert found.origins["tokens.c.label"] == "default"
    assert msgspec.json.decode(encode_settings(found.settings), type=Settings) == found.settings


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[tokens.a]\nlabels = 'x'\n", ":2: there is no setting tokens.a.labels; did you mean tokens.a.label?"),
        ("[tokens.A]\nlabel = 'x'\n", ":2: a name in tokens has up to 32 small letters"),
        ("[tokens.'a b']\nlabel = 'x'\n", ":2: a name in tokens"),
        ("[tokens.'a.b']\nlabel = 'x'\n", ":2: a name in tokens"),
        ("[tokens]\nlabel = 'x'\n", ":2: tokens.label is a table"),
        ("tokens = 1\n", ":1: tokens is a table"),
        ("[tokens.a]\n", ":1: [tokens.a] is empty"),
        ("[tokens.a]\noperation_seconds = 0\n", ":2: tokens.a.operation_seconds must be a number of"),
        ("[tokens.a]\nlabel = ''\n", ":2: tokens.a.label must not be empty"),
        ("[tokens.a.environment]\nX = 1\n", ": tokens.a.environment must be a table of texts"),
    ],
)  # fmt: skip
def test_a_wrong_setting_of_a_token_is_refused_with_its_line(tmp_path, text, why):
    assert why in refused(tmp_path, text)


def test_a_token_needs_its_library_pin_and_name(tmp_path):
    (tmp_path / "lib.so").write_bytes(b"")
    (tmp_path / "pin").write_text("1234")
    (tmp_path / "anchor.pem").write_text("not a certificate")
    check_settings(loaded(tmp_path, TOKEN).settings, {})
    for text, why in (
        ('[tokens.a]\nlabel = "x"\n', "tokens.a needs tokens.a.module"),
        ('[tokens.a]\nmodule = "lib.so"\n', "tokens.a needs tokens.a.pin_file"),
        ('[tokens.a]\nmodule = "lib.so"\npin_file = "pin"\n', "needs tokens.a.label or"),
        (TOKEN.replace("lib.so", "no.so"), "no.so is no file"),
        (f'{TOKEN}cluster_id = "cluster-1"\n', "cluster_id must be cluster- and 11"),
        (f'{TOKEN}cluster_id = "cluster-abcdefghijk"\n', "needs tokens.vault-1.trust_anchor"),
        (
            f'{TOKEN}cluster_id = "cluster-abcdefghijk"\ntrust_anchor = "anchor.pem"\n',
            "anchor.pem holds no certificate in PEM",
        ),
    ):
        with pytest.raises(Unusable, match=re.escape(why)):
            check_settings(loaded(tmp_path, text).settings, {})
