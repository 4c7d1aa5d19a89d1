"""What the daemons of a test's cluster read; `{...}` is filled in for each cluster."""

from __future__ import annotations

CONF = """\
ClusterName=scratch
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/pids/slurmctld.own
SlurmdPidFile={folder}/pids/%n.own
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/%n.log
MailProg=/bin/true
MpiDefault=none
# Without cgroups, systemd and affinity; memory is watched by polling.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
# Nodes claim more than the machine has.
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=10000,bf_interval=1
PriorityType=priority/basic
MaxArraySize={max_array_size}
MaxJobCount={max_job_count}
MinJobAge={min_job_age}
# What is asked to end may take its time for that on a slow machine.
KillWait=30
InactiveLimit=0
CompleteWait=0
MessageTimeout=10
SlurmctldTimeout=10
# A node that stands still for a while has not failed.
SlurmdTimeout=120
BatchStartTimeout=120
UnkillableStepTimeout=120
ReturnToService=2
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
"""

PARTITIONS = """\
PartitionName=main Nodes=n[1-{nodes}] Default=YES DefaultTime=60 PriorityTier=5 PreemptMode=OFF
PartitionName=scavenge Nodes=n[1-{nodes}] DefaultTime=60 PriorityTier=1 PreemptMode=REQUEUE
PartitionName=killable Nodes=n[1-{nodes}] DefaultTime=60 PriorityTier=1 PreemptMode=CANCEL
PartitionName=urgent Nodes=n[1-{nodes}] DefaultTime=60 PriorityTier=10 PreemptMode=OFF
PartitionName=short Nodes=n[1-{nodes}] MaxTime=1 DefaultTime=1 PriorityTier=5 PreemptMode=OFF
"""

ACCOUNTING_CONF = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounting_port}
AccountingStoragePass={folder}/munge/sock
AccountingStorageEnforce=associations,limits,qos
"""

DBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/sock
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={accounting_port}
SlurmUser={user}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
LogFile={folder}/log/slurmdbd.log
PidFile={folder}/pids/slurmdbd.own
CommitDelay=1
"""

SQL = """\
CREATE DATABASE IF NOT EXISTS slurm;
CREATE USER IF NOT EXISTS 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurm';
CREATE USER IF NOT EXISTS 'slurm'@'localhost' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm.* TO 'slurm'@'127.0.0.1';
GRANT ALL ON slurm.* TO 'slurm'@'localhost';
"""
