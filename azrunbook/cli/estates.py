"""``azrunbook estate`` and ``outputs``: what the estate file declares, what Azure made of it."""

from typing import Annotated

import typer

from azrunbook import secrets
from azrunbook.cli import completion, console

app = typer.Typer(no_args_is_help=True)
Environment = Annotated[
    str,
    typer.Option("--env", help="Environment.", autocompletion=completion.list_environments),
]
Target = Annotated[
    str,
    typer.Option(
        "--target",
        help="sandbox, azure, or the path of a connection file.",
        autocompletion=completion.list_targets,
    ),
]


@app.callback()
def estate_commands() -> None:
    """Commands about the estate file."""


@app.command("show")
def show(
    env: Environment = "dv",
    as_json: Annotated[bool, console.Json] = False,
) -> None:
    """Show the estate of an environment, after checking its file.

    Example: azrunbook estate show --env dv
    """
    from azrunbook import estate

    found = estate.load(env)
    if as_json:
        console.print_json(found.model_dump(mode="json"))
        return
    console.print_table(
        ("role", "region", "resource group", "network", "zones"),
        [
            (
                role,
                region.location,
                region.resource_group,
                f"{region.network.name} {', '.join(region.network.address_space)}",
                " ".join(region.zones),
            )
            for role, region in found.regions.items()
        ],
        title=f"{found.project} ({found.environment})",
    )
    console.print_table(
        ("node pool", "mode", "nodes", "size"),
        [(pool.name, pool.mode, str(pool.count), pool.vm_size) for pool in found.node_pools],
        title=f"{found.cluster.name}, Kubernetes {found.cluster.kubernetes_version}",
    )
    probe = found.front_door.health_probe
    console.print_table(
        ("application", "version", "replicas", "public endpoint", "probe"),
        [
            (
                found.app.release,
                found.app.version,
                f"{found.app.replicas} per region",
                found.front_door.endpoint,
                f"{probe.method} {probe.path} every {probe.interval_seconds} s",
            )
        ],
    )


@app.command("imports")
def imports(env: Environment = "dv", target: Target = "sandbox") -> None:
    """Print import blocks of what Azure has of the estate, for a terraform that is run by hand.

    Example: azrunbook estate imports --env dv --target azure > infra/dv/imports.tf
    """
    from azrunbook import connect
    from azrunbook.cli import batch
    from azrunbook.procedures import terraform_engine
    from azrunbook.resources import terraform_addresses

    batch.check([], environment=env, target=target)
    found = terraform_engine.find_existing(connect.connect(env, target))
    typer.echo(terraform_addresses.write_blocks(found), nl=False)


def outputs(
    env: Environment = "dv",
    target: Target = "sandbox",
    show: Annotated[
        str,
        typer.Option(
            "--show",
            metavar="NAME",
            help="Print this one alone and as it is: of a secret, the secret.",
        ),
    ] = "",
    as_json: Annotated[bool, console.Json] = False,
) -> None:
    """Show hosts, ports and connection strings of a provisioned estate; secrets are hidden.

    They are read from Azure each time and kept nowhere. Pipe what --show prints; a terminal and a
    shell's history remember.

    Example: azrunbook outputs --env dv --show primary.redis_url
    """
    from azrunbook import connect
    from azrunbook.cli import batch

    batch.check([], environment=env, target=target)
    found = connect.connect(env, target).read_outputs()
    if show:
        value = found.get(show)
        typer.echo(value.reveal() if isinstance(value, secrets.Secret) else value)
    elif as_json:
        console.print_json(found.as_dict())
    else:
        console.print_table(("output", "value"), list(found.as_dict().items()))
