"""How other libraries ask many things of a chat endpoint, each as its documentation shows, each in a venv of its own.

Every code below gets {"url", "number"}, sends so many distinct requests 100-way, and prints
{"seconds": ..., "cpu_s": ..., "answered": ...}. What the server saw is read from the server.
"""

from typing import Any, NamedTuple

from benchmarks.rivals import rival_python, run_rival
from benchmarks.teacher_server import teacher_server

OPENAI = """
import asyncio, json, sys, time
import openai
arguments = json.loads(sys.argv[1])
text = "Write one question that this passage answers, and the answer in its own words. " * 3

async def main():
    options = {"http_client": openai.DefaultAioHttpClient()} if arguments["aiohttp"] else {}
    client = openai.AsyncOpenAI(base_url=arguments["url"], api_key="none", **options)
    places = asyncio.Semaphore(100)
    async def ask(at):
        async with places:
            try:
                message = {"role": "user", "content": f"{text}Passage {at}."}
                await client.chat.completions.create(model="m", max_tokens=64, messages=[message])
                return 1
            except openai.OpenAIError:
                return 0
    started, cpu = time.perf_counter(), time.process_time()
    answered = sum(await asyncio.gather(*[ask(at) for at in range(arguments["number"])]))
    print(json.dumps({"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu, "answered": answered}))

asyncio.run(main())
"""

CURATOR = """
import json, os, sys, tempfile, time
os.environ["CURATOR_CACHE_DIR"] = tempfile.mkdtemp()
os.environ["OPENAI_API_KEY"] = "none"
os.environ["TELEMETRY_ENABLED"] = "false"
os.environ["CURATOR_DISABLE_RICH_DISPLAY"] = "1"
import tiktoken
class Encoding:
    def encode(self, text, **_):
        return text.split()
tiktoken.get_encoding = tiktoken.encoding_for_model = lambda *_: Encoding()  # its tables would be downloaded
from bespokelabs import curator
arguments = json.loads(sys.argv[1])
text = "Write one question that this passage answers, and the answer in its own words. " * 3
limits = {"max_requests_per_minute": 10**7, "max_tokens_per_minute": 10**10, "max_concurrent_requests": 100, "max_retries": 3}
llm = curator.LLM(
    model_name="m", backend="openai", backend_params={"base_url": arguments["url"], "api_key": "none", **limits},
    generation_params={"max_tokens": 64},
)
prompts = [f"{text}Passage {at}." for at in range(arguments["number"])]
started, cpu = time.perf_counter(), time.process_time()
result = llm(prompts)
rows = getattr(result, "dataset", result)
print()
print(json.dumps({"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu, "answered": len(rows)}))
"""

DESIGNER = """
import json, os, sys, tempfile, time
os.environ["NEMO_TELEMETRY_ENABLED"] = "false"
os.environ["DATA_DESIGNER_HOME"] = tempfile.mkdtemp()
os.environ["LOCAL_KEY"] = "none"
import data_designer.config as dd
from data_designer.interface import DataDesigner
arguments = json.loads(sys.argv[1])
text = "Write one question that this passage answers, and the answer in its own words. " * 3
provider = dd.ModelProvider(name="local", endpoint=arguments["url"], provider_type="openai", api_key="LOCAL_KEY")
parameters = dd.ChatCompletionInferenceParams(max_tokens=64, max_parallel_requests=100)
model = dd.ModelConfig(alias="m", model="m", provider="local", inference_parameters=parameters, skip_health_check=True)
builder = dd.DataDesignerConfigBuilder(model_configs=[model])
builder.add_column(dd.SamplerColumnConfig(name="at", sampler_type="uuid", params=dd.UUIDSamplerParams()))
builder.add_column(dd.LLMTextColumnConfig(name="question", model_alias="m", prompt=text + "Passage {{ at }}."))
designer = DataDesigner(model_providers=[provider], artifact_path=tempfile.mkdtemp())
started, cpu = time.perf_counter(), time.process_time()
rows = designer.create(builder, num_records=arguments["number"]).load_dataset()
print()
print(json.dumps({"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu, "answered": len(rows)}))
"""


class Rival(NamedTuple):
    """A library with one setting."""

    name: str
    venv: str
    packages: list[str]
    code: str
    arguments: dict[str, Any]
    number: int


SDK = ["openai[aiohttp]==3.54.0"]
RIVALS = (
    Rival("openai_semaphore", "openai", SDK, OPENAI, {"aiohttp": False}, 1000),
    Rival("openai_aiohttp_semaphore", "openai", SDK, OPENAI, {"aiohttp": True}, 5000),
    Rival("bespokelabs_curator", "bespokelabs_curator", ["bespokelabs-curator==0.1.31"], CURATOR, {}, 2000),
    Rival("data_designer", "data_designer", ["data-designer==0.9.7"], DESIGNER, {}, 600),
)


def run_rivals(cap: str, *, quick: bool) -> dict[str, dict[str, Any]]:
    """Return the figures of each rival that could be installed and came to an end; quick: only those of the plain SDK."""
    found = {}
    for rival in RIVALS[:1] if quick else RIVALS:
        python = rival_python(rival.venv, rival.packages)
        if python is None:
            continue
        free = _measure(python, rival, "none", 500 if quick else rival.number)
        capped = None if quick else _measure(python, rival, cap, min(1500, rival.number))
        if free is not None:
            found[rival.name] = {"free": free, **({"capped": capped} if capped is not None else {})}
    return found


def _measure(python: Any, rival: Rival, cap: str, number: int) -> dict[str, Any] | None:
    with teacher_server(cap=cap) as server:
        result = run_rival(python, rival.code, {"url": server.url, "number": number, **rival.arguments}, timeout_s=240)
        if result is None:
            return None
        seen = server.stats()
    return {
        "requests": number,
        "answered": result["answered"],
        "requests_per_s": result["answered"] / result["seconds"],
        "cpu_ms_per_request": 1000 * result["cpu_s"] / number,
        "share_429": seen["limited"] / max(1, seen["ok"] + seen["limited"]),
        "most_in_flight": seen["most_in_flight"],
    }
